from typing import Any

import httpx2

from tests.sandbox.conftest import Crm, error

TYPE = {"@odata.type": "Microsoft.Dynamics.CRM.account"}


async def run(crm: Crm, action: str, *targets: dict[str, Any]) -> httpx2.Response:
    path = f"accounts/Microsoft.Dynamics.CRM.{action}"
    return await crm.send("POST", path, {"Targets": list(targets)})


def by_key(symbol: str, **columns: str) -> dict[str, Any]:
    return {**TYPE, "@odata.id": f"accounts(bulkhead_symbol='{symbol}')", **columns}


async def test_create_multiple_answers_ids_and_is_all_or_nothing(crm: Crm) -> None:
    created = await run(crm, "CreateMultiple", {**TYPE, "name": "a"}, {**TYPE, "name": "b"})
    assert (created.status_code, len(created.json()["Ids"])) == (200, 2)
    failed = await run(crm, "CreateMultiple", {**TYPE, "name": "c"}, {**TYPE, "name": "x" * 161})
    assert error(failed)[1] == "0x80044331"
    assert len(crm.sim.rows("accounts")) == 2


async def test_every_target_needs_its_type(crm: Crm) -> None:
    assert error(await run(crm, "CreateMultiple", {"name": "a"}))[0] == 400


async def test_update_multiple_drops_the_second_change_of_a_row_in_silence(crm: Crm) -> None:
    row_id = (await run(crm, "CreateMultiple", {**TYPE, "name": "a"})).json()["Ids"][0]
    target = {**TYPE, "accountid": row_id}
    answer = await run(crm, "UpdateMultiple", {**target, "name": "b"}, {**target, "name": "c"})
    assert answer.status_code == 204
    assert crm.sim.rows("accounts")[0]["name"] == "b"


async def test_upsert_multiple_creates_and_updates(crm: Crm) -> None:
    for name in ("one", "two"):
        answer = await run(crm, "UpsertMultiple", by_key("A", name=name), by_key("B", name=name))
        assert answer.status_code == 204
    assert [row["name"] for row in crm.sim.rows("accounts")] == ["two", "two"]


async def test_upsert_multiple_refuses_two_targets_for_one_row(crm: Crm) -> None:
    answer = await run(crm, "UpsertMultiple", by_key("A", name="1"), by_key("A", name="2"))
    assert answer.status_code == 400
    assert crm.sim.rows("accounts") == []


async def test_upsert_multiple_refuses_a_repeated_key_only_when_it_creates(crm: Crm) -> None:
    target = by_key("A", bulkhead_symbol="A", name="n")
    refused = await run(crm, "UpsertMultiple", target)
    assert error(refused) == (400, "0x80040216", "An unexpected error occurred.")
    await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "old"})
    assert (await run(crm, "UpsertMultiple", target)).status_code == 204


async def test_message_filters_tell_what_a_table_supports(crm: Crm) -> None:
    for message, found in (("CreateMultiple", 1), ("UpsertMultiple", 0)):
        answer = await crm.send(
            "GET",
            "sdkmessagefilters?$select=sdkmessagefilterid&$filter="
            f"sdkmessageid/name%20eq%20'{message}'%20and%20primaryobjecttypecode%20eq%20'account'",
        )
        assert len(answer.json()["value"]) == found


async def test_the_messages_of_a_table_can_be_listed_with_their_names(crm: Crm) -> None:
    query = (
        "sdkmessagefilters?$select=primaryobjecttypecode&$expand=sdkmessageid($select=name)"
        "&$filter=(sdkmessageid/name eq 'CreateMultiple' or sdkmessageid/name eq 'UpdateMultiple')"
        " and primaryobjecttypecode eq 'contact'"
    )
    answer = (await crm.send("GET", query.replace(" ", "%20"))).json()["value"]
    assert answer == [
        {"primaryobjecttypecode": "contact", "sdkmessageid": {"name": name}}
        for name in ("CreateMultiple", "UpdateMultiple")
    ]


async def test_update_multiple_with_one_row_that_is_gone_changes_nothing(crm: Crm) -> None:
    row_id = (await run(crm, "CreateMultiple", {**TYPE, "name": "a"})).json()["Ids"][0]
    gone = {**TYPE, "accountid": "00000000-0000-0000-0000-000000000009", "name": "b"}
    answer = await run(crm, "UpdateMultiple", {**TYPE, "accountid": row_id, "name": "b"}, gone)
    assert error(answer)[:2] == (404, "0x80040217")
    assert crm.sim.rows("accounts")[0]["name"] == "a"


async def test_update_multiple_does_not_know_alternate_keys(crm: Crm) -> None:
    await crm.send("PATCH", "accounts(bulkhead_symbol='A')", {"name": "a"})
    assert error(await run(crm, "UpdateMultiple", by_key("A", name="b")))[0] == 400
    assert crm.sim.rows("accounts")[0]["name"] == "a"


async def test_upsert_multiple_sees_through_case_that_two_targets_are_one_row(crm: Crm) -> None:
    answer = await run(crm, "UpsertMultiple", by_key("é", name="1"), by_key("E ", name="2"))
    assert answer.status_code == 400
    assert crm.sim.rows("accounts") == []


async def test_one_bad_row_undoes_a_thousand(crm: Crm) -> None:
    targets = [by_key(f"S{number}", name="n") for number in range(1_000)]
    targets[500]["name"] = "x" * 161
    answer = await run(crm, "UpsertMultiple", *targets)
    assert error(answer)[:2] == (400, "0x80044331")
    assert crm.sim.rows("accounts") == []
    assert len(answer.json()["error"]) == 2


async def test_a_bulk_body_over_the_limit_is_413(crm: Crm) -> None:
    crm.sim.switches.max_bulk_bytes = 200
    answer = await run(crm, "UpsertMultiple", *(by_key(f"S{n}", name="n") for n in range(3)))
    assert answer.status_code == 413
    assert crm.sim.rows("accounts") == []
