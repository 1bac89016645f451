"""What a client that pulls has to live with: change tracking as Dataverse does it."""

from typing import Any

import pytest

from tests.sandbox.conftest import Crm, error

TRACK: dict[str, Any] = {"Prefer": "odata.track-changes"}
SELECT = "accounts?$select=name"


@pytest.fixture
async def tracked(crm: Crm) -> Crm:
    crm.sim.alter.change_table("accounts", change_tracking=True)
    for name in "abcde":
        await put(crm, name)
    return crm


async def put(crm: Crm, name: str, to: str = "") -> None:
    path = f"accounts(bulkhead_symbol='{name}')"
    assert (await crm.send("PATCH", path, {"name": to or name})).is_success


async def read(crm: Crm, path: str, size: int = 5000) -> tuple[list[dict[str, Any]], str, int]:
    """All items, the delta link and the number of pages."""
    items: list[dict[str, Any]] = []
    prefer, pages = f"odata.track-changes,odata.maxpagesize={size}", 0
    while path:
        answer = await crm.send("GET", path, Prefer=prefer)
        assert answer.status_code == 200, answer.text
        body, pages = answer.json(), pages + 1
        assert ("@odata.nextLink" in body) != ("@odata.deltaLink" in body)
        items += body["value"]
        path, link = body.get("@odata.nextLink", ""), body.get("@odata.deltaLink", "")
    return items, link, pages


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item.get("name") or item["reason"] for item in items]


@pytest.mark.parametrize(("size", "pages"), [(5000, 1), (5, 1), (2, 3)])
async def test_the_first_read_ends_with_a_link_to_what_comes_after(
    tracked: Crm, size: int, pages: int
) -> None:
    items, link, count = await read(tracked, SELECT, size)
    assert (names(items), count) == (list("abcde"), pages)
    assert (await read(tracked, link))[0] == []


async def test_a_delta_has_changes_in_order_then_deletions_with_their_ids_only(
    tracked: Crm,
) -> None:
    _, link, _ = await read(tracked, SELECT)
    ids = {row["name"]: row["accountid"] for row in tracked.sim.rows("accounts")}
    tracked.sim.alter.delete_rows("accounts", name="a")
    await put(tracked, "new")
    await put(tracked, "b", "changed")
    await put(tracked, "brief")
    tracked.sim.alter.delete_rows("accounts", name="brief")
    items, after, pages = await read(tracked, link, 2)
    assert (names(items), pages) == (["new", "changed", "deleted", "deleted"], 2)
    assert items[2]["id"] == ids["a"]
    assert items[2]["@odata.context"].endswith("#accounts/$deletedEntity")
    assert set(items[2]) == {"@odata.context", "id", "reason"}
    count = await tracked.send("GET", link.replace("accounts?", "accounts/$count?"))
    assert count.text == "4"
    assert (await read(tracked, after))[0] == []


async def test_a_row_that_changes_while_pages_are_read_comes_with_the_next_delta(
    tracked: Crm,
) -> None:
    prefer = "odata.track-changes,odata.maxpagesize=2"
    first = (await tracked.send("GET", SELECT, Prefer=prefer)).json()
    await put(tracked, "e", "later")
    await put(tracked, "a", "again")
    tracked.sim.alter.delete_rows("accounts", name="d")
    items, link, _ = await read(tracked, first["@odata.nextLink"], 2)
    assert names(first["value"] + items) == ["a", "b", "c"]
    assert names((await read(tracked, link))[0]) == ["later", "again", "deleted"]


@pytest.mark.parametrize("option", ["$filter", "$orderby", "$expand", "$top"])
async def test_other_options_are_refused_with_the_documented_words(
    tracked: Crm, option: str
) -> None:
    answer = await tracked.send("GET", f"{SELECT}&{option}=name", **TRACK)
    message = f'The "{option}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert error(answer)[::2] == (400, message)


async def test_links_expire_with_time_and_with_a_restored_environment(tracked: Crm) -> None:
    number = tracked.sim.simulation.take_snapshot()
    _, link, _ = await read(tracked, SELECT)
    tracked.sim.switches.delta_expiry_s = -1
    assert error(await tracked.send("GET", link))[:2] == (400, "0x80044352")
    tracked.sim.switches.delta_expiry_s = 60
    assert (await tracked.send("GET", link)).is_success
    tracked.sim.simulation.restore(number)
    assert error(await tracked.send("GET", link))[:2] == (400, "0x80044352")
    forged = await tracked.send("GET", link[:-1] + "x")
    assert (forged.status_code, error(forged)[1]) == (400, "0x80060888")


async def test_tracking_is_off_until_switched_on_and_needs_the_right_to_read_all(
    crm: Crm,
) -> None:
    assert error(await crm.send("GET", SELECT, **TRACK))[0] == 400
    crm.sim.alter.change_table("accounts", change_tracking=True)
    with pytest.raises(ValueError, match="cannot be switched off"):
        crm.sim.alter.change_table("accounts", change_tracking=False)
    listing = "EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled%20eq%20true"
    assert [t["LogicalName"] for t in (await crm.send("GET", listing)).json()["value"]] == [
        "account"
    ]
    crm.sim.switches.missing_privileges = ["prvReadAccount:organization"]
    assert error(await crm.send("GET", SELECT, **TRACK))[:2] == (403, "0x80040220")
    assert (await crm.send("GET", SELECT)).is_success
