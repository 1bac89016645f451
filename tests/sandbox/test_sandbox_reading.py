"""What a client needs to learn the ids of rows it knows by key, and to notice what is gone."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.dataverse.filters import any_of, read_filter
from sandbox.dataverse.refusals import Refusal
from tests.sandbox.conftest import Crm, error, part

CONTINUE = {"Prefer": "odata.continue-on-error"}
KEYS = ["O'Neil", 'say "x"', "a],b", "a,b", "Zoë", "[c]", "plain"]


def quoted(keys: list[str], mark: str) -> str:
    if mark == '"':
        return ",".join(json.dumps(key, ensure_ascii=False) for key in keys)
    return ",".join("'" + key.replace("'", "''") + "'" for key in keys)


def ids_by_key(members: str, column: str = "bulkhead_symbol") -> str:
    test = f"Microsoft.Dynamics.CRM.In(PropertyName='{column}',PropertyValues=[{members}])"
    return f"accounts?$select=accountid,{column}&$filter={quote(test)}"


async def stock(crm: Crm, keys: list[str]) -> None:
    targets = [
        {"@odata.type": "Microsoft.Dynamics.CRM.account", "bulkhead_symbol": key} for key in keys
    ]
    path = "accounts/Microsoft.Dynamics.CRM.CreateMultiple"
    (await crm.send("POST", path, {"Targets": targets})).raise_for_status()


def inner(text: str) -> list[dict[str, Any]]:
    """The JSON bodies of the parts of a batch reply."""
    found = [line for line in text.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in found]


@pytest.mark.parametrize("mark", ["'", '"'])
async def test_ids_are_read_by_many_keys_whatever_stands_in_them(crm: Crm, mark: str) -> None:
    await stock(crm, [*KEYS, "other"])
    found = (await crm.send("GET", ids_by_key(quoted(KEYS, mark)))).json()["value"]
    assert {row["bulkhead_symbol"] for row in found} == set(KEYS)
    ids = {row["bulkhead_symbol"]: row["accountid"] for row in crm.sim.rows("accounts")}
    assert all(row["accountid"] == ids[row["bulkhead_symbol"]] for row in found)


async def test_ids_are_read_by_keys_in_other_case_and_by_an_or(crm: Crm) -> None:
    await stock(crm, ["Zoë", "ABC", "other"])
    for path in (
        ids_by_key("'ZOE','abc','none'"),
        "accounts?$select=accountid,bulkhead_symbol&$filter="
        + quote("bulkhead_symbol eq 'ZOE' or bulkhead_symbol eq 'abc '"),
    ):
        found = (await crm.send("GET", path)).json()["value"]
        assert {row["bulkhead_symbol"] for row in found} == {"Zoë", "ABC"}


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("a eq 'X'", {"x"}),
        ("a eq 'x' or a eq 'y'", {"x", "y"}),
        ("(a eq 'x' or a eq 'y') and b eq 1", {"x", "y"}),
        ("Microsoft.Dynamics.CRM.In(PropertyName='a',PropertyValues=['x', \"y\", 3])", set("xy3")),
        ("a eq 'x' or b eq 'y'", None),
        ("not (a eq 'x')", None),
        ("a ne 'x'", None),
        ("Microsoft.Dynamics.CRM.NotIn(PropertyName='a',PropertyValues=['x'])", None),
    ],
)
def test_a_filter_on_keys_is_answered_from_an_index(text: str, within: set[str] | None) -> None:
    found = read_filter(text, any_of({"a": "a", "b": "b"}, "t"))
    assert found.within == (None if within is None else ("a", frozenset(within)))


@pytest.mark.parametrize("list_", ["a" * 5_000 + "[", "'a' 'b'", "'a',,'b'", "'a", "("])
def test_a_list_that_cannot_be_read_is_refused_at_once(list_: str) -> None:
    text = f"Microsoft.Dynamics.CRM.In(PropertyName='a',PropertyValues=[{list_}])"
    with pytest.raises(Refusal):
        read_filter(text, any_of({"a": "a"}, "t"))
    with pytest.raises(Refusal):
        read_filter("(" * 50_000, any_of({"a": "a"}, "t"))


async def test_a_long_list_of_keys_fits_into_a_batch_only(crm: Crm) -> None:
    keys = [f"{number:020}" for number in range(1_500)]
    await stock(crm, keys)
    path = ids_by_key(quoted(keys, "'"))
    assert 32 * 1024 < len(path) < 64 * 1024
    assert (await crm.send("GET", path)).status_code == 414
    answer = await crm.batch([part("GET", f"/api/data/v9.2/{path}")])
    assert len(inner(answer.text)[0]["value"]) == 1_500
    twice = part("GET", f"/api/data/v9.2/{ids_by_key(quoted(keys * 2, chr(39)))}")
    assert "HTTP/1.1 400 " in (await crm.batch([twice])).text


async def test_a_read_inside_of_a_batch_goes_page_by_page(crm: Crm) -> None:
    await stock(crm, [f"S{number}" for number in range(5)])
    path: str | None = "/api/data/v9.2/accounts?$select=bulkhead_symbol"
    sizes = []
    while path:
        text = part("GET", path).rstrip("\n") + "\nPrefer: odata.maxpagesize=2\n"
        (page,) = inner((await crm.batch([text])).text)
        sizes.append(len(page["value"]))
        path = page.get("@odata.nextLink")
    assert sizes == [2, 2, 1]


async def test_a_row_that_is_gone_is_seen_by_an_update_of_its_id(crm: Crm) -> None:
    await stock(crm, ["a"])
    row_id = crm.sim.rows("accounts")[0]["accountid"]

    def update() -> str:
        text = part("PATCH", f"/api/data/v9.2/accounts({row_id})", {"name": "n"})
        return text.replace("HTTP/1.1\n", "HTTP/1.1\nIf-Match: *\n")

    assert "HTTP/1.1 204 " in (await crm.batch([update()], **CONTINUE)).text
    assert (await crm.send("DELETE", f"accounts({row_id})")).status_code == 204
    answer = await crm.batch([update()], **CONTINUE)
    assert "HTTP/1.1 404 " in answer.text
    assert inner(answer.text)[0]["error"] == {
        "code": "0x80040217",
        "message": f"account With Id = {row_id} Does Not Exist",
    }
    assert crm.sim.rows("accounts") == []
    assert error(await crm.send("DELETE", f"accounts({row_id})"))[:2] == (404, "0x80040217")


async def test_an_upsert_inside_of_a_batch_can_answer_the_id_of_its_row(crm: Crm) -> None:
    path = "/api/data/v9.2/accounts(bulkhead_symbol='a')?$select=accountid"
    text = part("PATCH", path, {"name": "n"})
    text = text.replace("HTTP/1.1\n", "HTTP/1.1\nPrefer: return=representation\n")
    answer = (await crm.batch([text, text])).text
    assert answer.index("HTTP/1.1 201 ") < answer.index("HTTP/1.1 200 ")
    (row,) = crm.sim.rows("accounts")
    assert [body["accountid"] for body in inner(answer)] == [row["accountid"]] * 2
    assert "name" not in inner(answer)[0]
