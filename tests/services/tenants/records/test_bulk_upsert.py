"""Bulk upsert: one statement, all or nothing, unless the caller asks to skip what is bad."""

import asyncio
import json
from typing import Any

import pytest

from contracts.access import Scope


def _row(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "fields": fields}


async def _journal(databases: Any, tenant: Any) -> list[str]:
    """What the journal says of the records that exist."""
    async with databases.read(tenant) as session:
        rows = await session.fetch(
            "SELECT op FROM journal JOIN record r ON pk = jsonb_build_array(r.id) ORDER BY seq"
        )
    return [row["op"] for row in rows]


async def test_rows_are_created_then_updated_then_left_alone(api: Any, databases: Any) -> None:
    first = await api.bulk([_row("A", name="a", sector="IT"), _row("B", name="b")])
    assert first.json() == {
        "created": 2, "updated": 0, "unchanged": 0, "failed": [], "failed_lines": 0
    }  # fmt: skip
    second = await api.bulk([_row("A", name="a2"), _row("B", name="b"), _row("C", name="c")])
    assert {k: second.json()[k] for k in ("created", "updated", "unchanged")} == {
        "created": 1, "updated": 1, "unchanged": 1
    }  # fmt: skip
    rows = {row["key"]: row for row in await api.listed()}
    assert rows["A"]["fields"] == {"symbol": "A", "name": "a2", "sector": "IT"}
    assert [rows[key]["version"] for key in "ABC"] == [2, 1, 1]
    assert rows["A"]["responsible"] == str(api.user)
    assert sorted(await _journal(databases, api.tenant)) == ["I", "I", "I", "U"]


async def test_null_clears_and_is_not_kept(api: Any) -> None:
    await api.bulk([_row("A", name="a", sector="IT")])
    assert (await api.bulk([_row("A", sector=None)])).json()["updated"] == 1
    assert (await api.bulk([_row("B", name="b", sector=None)])).json()["created"] == 1
    rows = await api.listed("?sort=symbol")
    assert [row["fields"] for row in rows] == [
        {"symbol": "A", "name": "a"}, {"symbol": "B", "name": "b"}
    ]  # fmt: skip


BAD: list[tuple[bytes, str]] = [
    (b"{", ""),
    (b"[]", ""),
    (b"NaN", ""),
    (b'{"key": "X", "fields": {"name": "x"}, "id": 1}', ""),
    (b'{"key": "X"}', "/fields"),
    (b'{"key": "X", "fields": []}', "/fields"),
    (b'{"key": "X", "key": "Y", "fields": {}}', ""),
    (b'{"key": "X", "fields": {"name": "x", "name": "y"}}', ""),
    (b'{"key": "X", "fields": {"name": {"deep": {"er": 1}}}}', ""),
    (b'{"key": 1, "fields": {"name": "x"}}', "/key"),
    (b'{"key": "", "fields": {"name": "x"}}', "/key"),
    (b'{"key": "X", "fields": {"name": "\\u0000"}}', ""),
    (b'{"key": "X", "fields": {"name": "\\ud800"}}', ""),
    (b'{"key": "X", "fields": {"name": "\xff"}}', ""),
    (b'{"key": "X", "fields": {"name": 1}}', "/fields/name"),
    (b'{"key": "X", "fields": {"colour": "red"}}', "/fields/colour"),
    (b'{"key": "X", "fields": {"sector": "no name"}}', "/fields"),
    (b'{"fields": {"sector": "no key, no name"}}', "/fields/name"),
    (b'{"key": "A", "fields": {"name": "twice"}}', "/key"),
]


@pytest.mark.parametrize(("line", "pointer"), BAD)
async def test_one_bad_row_refuses_all_and_is_named_by_line(
    api: Any, line: bytes, pointer: str
) -> None:
    good = json.dumps(_row("A", name="a")).encode()
    answer = await api.bulk(good + b"\r\n\n" + line + b"\n")
    assert answer.status_code == 422, answer.text
    error = answer.json()["errors"][0]
    assert (error["line"], error["pointer"]) == (3, pointer)
    assert await api.listed() == []


async def test_with_skip_the_good_rows_are_written_and_the_bad_ones_reported(api: Any) -> None:
    lines = [json.dumps(_row("A", name="a")).encode(), *(line for line, _ in BAD)]
    answer = await api.bulk(b"\n".join(lines), "?on_error=skip")
    body = answer.json()
    assert (answer.status_code, body["created"], body["failed_lines"]) == (200, 1, len(BAD))
    assert {fault["line"] for fault in body["failed"]} == set(range(2, len(BAD) + 2))
    assert [row["key"] for row in await api.listed()] == ["A"]


async def test_payment_data_is_refused_by_line_and_skipped_without_echo(api: Any) -> None:
    rows = [_row("A", name="a"), _row("B", name="5555 5555 5555 4444")]
    answer = await api.bulk(rows)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/payment-data-refused")
    assert (answer.json()["pointer"], answer.json()["errors"][0]["line"]) == ("/fields/name", 2)
    skipped = await api.bulk(rows, "?on_error=skip")
    assert skipped.json()["created"] == 1
    assert "5555" not in answer.text + skipped.text
    assert [row["key"] for row in await api.listed()] == ["A"]


@pytest.mark.parametrize("responsible", ["somebody", None])
async def test_records_beyond_the_scope_are_left_alone(
    api: Any, databases: Any, responsible: str | None
) -> None:
    await api.bulk([_row("A", name="not yours")])
    if responsible is None:
        async with databases.write(api.tenant, actor="user:test") as session:
            await session.execute("UPDATE record SET responsible = NULL")
    other = api.as_user(organisation_view=Scope.ALL, organisation_bulk_edit=Scope.OWN)
    rows = [_row("A", name="taken"), _row("B", name="mine")]
    answer = await other.bulk(rows)
    assert (answer.status_code, answer.json()["errors"][0]["line"]) == (422, 1)
    assert (await other.bulk(rows, "?on_error=skip")).json()["created"] == 1
    names = [row["fields"]["name"] for row in await api.listed("?sort=symbol")]
    assert names == ["not yours", "mine"]


async def test_concurrent_batches_over_the_same_keys_all_succeed_or_ask_to_repeat(
    api: Any,
) -> None:
    async def send(name: str, keys: list[int]) -> int:
        answer = await api.bulk([_row(f"K{key}", name=name) for key in keys])
        return int(answer.status_code)

    await api.bulk([_row(f"K{key}", name="first") for key in range(0, 200, 2)])
    keys = list(range(200))
    statuses = await asyncio.gather(*(send(f"n{i}", keys[:: 1 - 2 * (i % 2)]) for i in range(4)))
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    rows = await api.listed("?limit=500")
    assert len(rows) == 200
    assert len({row["fields"]["name"] for row in rows}) == 1


async def test_the_body_must_be_ndjson_and_bounded(api: Any) -> None:
    answer = await api.call("POST", "/records/organisation/bulk", json=_row("A", name="a"))
    assert answer.status_code == 415
    line = b'{"fields":{"name":"x"}}\n'
    assert (await api.bulk(line * 50_001)).status_code == 413
    assert (await api.bulk(b" " * (33 * 1024 * 1024))).status_code == 413
    empty = await api.bulk(b"\n")
    assert empty.status_code == 422
    assert empty.json()["errors"][0]["message"] == "the body holds no row"


async def test_bulk_delete_removes_all_or_nothing_or_skips(api: Any) -> None:
    await api.bulk([_row(key, name=key) for key in "ABC"])
    ids = [row["id"] for row in await api.listed("?sort=symbol")]
    missing = "00000000-0000-7000-8000-000000000000"
    path = "/records/organisation/bulk-delete"
    refused = await api.call("POST", path, json={"ids": [ids[0], missing]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/ids/1")
    assert len(await api.listed()) == 3
    skipped = await api.call("POST", f"{path}?on_error=skip", json={"ids": [ids[0], missing]})
    assert (skipped.json()["deleted"], len(skipped.json()["failed"])) == (1, 1)
    stranger = api.as_user(organisation_view=Scope.ALL, organisation_delete=Scope.OWN)
    assert (await stranger.call("POST", path, json={"ids": ids[1:]})).status_code == 422
    assert (await api.call("POST", path, json={"ids": ids[1:]})).json()["deleted"] == 2
    assert await api.listed() == []
    bodies: list[Any] = [{}, {"ids": []}, {"ids": ["x"]}, {"ids": ids, "x": 1}, {"ids": [1]}]
    for body in bodies:
        assert (await api.call("POST", path, json=body)).status_code == 422


async def test_lines_that_are_no_rows_count_too_and_are_refused_before_they_cost(api: Any) -> None:
    assert (await api.bulk(b"1\n" * 60_000)).status_code == 413
    csv = b"symbol,name\n" + b",\n" * 50_001
    assert (await api.csv(csv, "?on_error=skip")).status_code == 413
