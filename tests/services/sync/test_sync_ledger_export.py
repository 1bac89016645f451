"""The ledger as a file: every call once, its bytes those that arrived, no cell that acts."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId
from kit import clock
from services.sync import exporting
from services.sync.egress import AddressRefused, CallFailed, Egress
from services.sync.ledger import Ledger
from services.sync.store.ledger import LedgerFilter
from tests.services.sync.recording import RecordingDialler, RecordingResolver, call
from tests.services.sync.running_sync import Sync
from tests.services.sync.simulated_crms import HOST

_LINES = (
    "INSERT INTO ledger (id, at, tenant, connection, host, method, operation, fields, rows,"
    " request_bytes, error) SELECT gen_random_uuid(), now() - interval '1 day', :tenant,"
    " :connection, 'crm.example', 'POST', 'upsert', ARRAY[CAST(:field AS text)], 1, 10, :error"
    " FROM generate_series(1, :count)"
)


async def add_lines(sync: Sync, connection: str, count: int, **changes: Any) -> None:
    """Many lines of one moment."""
    values = {"tenant": sync.tenant, "connection": UUID(connection), "count": count}
    async with sync.parts.db.write() as session:
        await session.run(text(_LINES), values | {"field": "name", "error": None} | changes)


async def exported(sync: Sync, connection: str, query: str = "", accept: str = "*/*") -> str:
    path = f"{sync.path}/{connection}/ledger/export{query}"
    answer = await sync.http.get(path, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer.text


def lines_of(text_: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_.splitlines()]


async def test_the_bytes_of_the_ledger_are_those_that_the_crm_has_counted(sync: Sync) -> None:
    """Over real TLS, with answers that make calls come twice: 401, a lost reply, 429."""
    sync.peer.fill(60)
    for kind, more in (
        ("status", {"status": 401, "body": "json", "times": 1}),
        ("lost_reply", {}),
        ("status", {"status": 413, "body": "json", "times": 1}),
    ):
        sync.simulator.add_fault(kind=kind, path=sync.simulator.BATCH, **more)
    connection = await sync.connect()
    await sync.settled(connection, ok=60)
    arrived = sync.simulator.requests()
    counted = sum(int(dict(one.headers).get("content-length", 0)) for one in arrived)
    whole = lines_of(await exported(sync, connection, "?format=jsonl"))
    assert len(whole) == len(arrived)
    assert sum(one["request_bytes"] for one in whole) == counted > 0
    rows = list(csv.DictReader(io.StringIO(await exported(sync, connection))))
    assert sum(int(one["request_bytes"]) for one in rows) == counted


async def test_a_call_that_never_left_has_no_bytes(sync: Sync) -> None:
    """Nobody can be reached; the line that was written before says so afterwards."""
    connection = ConnectionId(UUID(await sync.connect()))
    resolver, dialler, ledger = RecordingResolver(), RecordingDialler(), Ledger(sync.parts.db)
    given: dict[str, Any] = {"method": "POST", "body": b"0123456789", "operation": "upsert-batch"}
    given |= {"tenant": sync.tenant, "connection": connection}
    asked = call(f"https://{HOST}/", HOST, **given)
    with pytest.raises(CallFailed):
        await Egress(resolver=resolver, dialler=dialler).send(asked, ledger)
    refused = Egress(resolver=RecordingResolver(("127.0.0.1",)), dialler=dialler)
    with pytest.raises(AddressRefused):
        await refused.send(asked, ledger)
    lines = await exported(sync, str(connection), "?format=jsonl&operation=upsert-batch")
    assert [(one["request_bytes"], one["status"]) for one in lines_of(lines)] == [(0, None)] * 2


async def test_both_forms_hold_every_line_of_the_list_in_the_order_of_their_leaving(
    sync: Sync,
) -> None:
    sync.peer.fill(2)
    connection = await sync.connect()
    await sync.settled(connection, ok=2)
    listed = (await sync.get(f"/{connection}/ledger"))["calls"][::-1]
    assert lines_of(await exported(sync, connection, accept="application/x-ndjson")) == listed
    table = await exported(sync, connection, accept="text/csv, */*;q=0.1")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [one["id"] for one in rows] == [one["id"] for one in listed]
    assert [one["at"] for one in rows] == [one["at"] for one in listed]
    assert table.startswith("id,at,host,method,operation,table,fields,rows,request_bytes,")
    assert table.endswith("\r\n")


async def test_an_export_of_many_pages_holds_each_line_once(sync: Sync) -> None:
    connection = await sync.connect()
    count = 3 * exporting._ROWS + 1
    await add_lines(sync, connection, count)
    found = lines_of(await exported(sync, connection, "?format=jsonl&operation=upsert"))
    assert len({one["id"] for one in found}) == len(found) == count


async def test_a_page_is_read_when_the_reader_has_taken_the_one_before(sync: Sync) -> None:
    """Memory is a page, and no transaction waits for whoever reads slowly."""
    connection = await sync.connect()
    await add_lines(sync, connection, 4 * exporting._ROWS)
    pieces = exporting.lines(
        sync.parts.db, sync.tenant, ConnectionId(UUID(connection)), LedgerFilter(), "jsonl"
    )
    first = await anext(pieces)
    assert len(first.splitlines()) == exporting._ROWS
    async with sync.parts.db.write() as session:
        await session.run(text("DELETE FROM ledger"))
    assert [piece async for piece in pieces] == []


async def test_what_leaves_while_a_file_is_written_is_not_in_it(sync: Sync) -> None:
    connection = await sync.connect()
    await add_lines(sync, connection, exporting._ROWS)
    id_ = ConnectionId(UUID(connection))
    pieces = exporting.lines(sync.parts.db, sync.tenant, id_, LedgerFilter(), "jsonl")
    await anext(pieces)
    sync.peer.put("ONE", name="later")
    await sync.settled(connection, ok=1)
    rest = [json.loads(line) async for piece in pieces for line in piece.splitlines()]
    assert "later" not in str(rest)
    assert all(one["operation"] not in ("upsert-batch", "upsert") for one in rest)


@pytest.mark.parametrize(
    "acting", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|calc", "%0A"]
)
async def test_no_cell_begins_as_a_formula_and_numbers_stay_numbers(
    sync: Sync, acting: str
) -> None:
    connection = await sync.connect()
    await add_lines(sync, connection, 1, field=acting, error=acting)
    table = await exported(sync, connection, "?operation=upsert")
    [row] = csv.DictReader(io.StringIO(table, newline=""))
    assert (row["fields"], row["error"]) == (f"'{acting}", f"'{acting}")
    assert row["request_bytes"] == "10"
    [line] = lines_of(await exported(sync, connection, "?operation=upsert&format=jsonl"))
    assert line["fields"] == [acting]


async def test_list_and_file_are_filtered_alike(sync: Sync) -> None:
    sync.peer.fill(1)
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    await add_lines(sync, connection, 2)
    now, day = clock.now(), timedelta(days=1)
    expected = {
        "operation=upsert": 2,
        "table=accounts&answer=2xx": None,
        "table=nowhere": 0,
        "host=crm.example": 2,
        "answer=none": 2,
        "answer=4xx": 0,
        f"to={quote((now - day / 2).isoformat())}": 2,
        f"from={quote((now + day).isoformat())}": 0,
        f"from={quote((now - 2 * day).isoformat())}&to={quote((now - day / 2).isoformat())}": 2,
    }
    for query, count in expected.items():
        listed = (await sync.get(f"/{connection}/ledger?{query}"))["calls"]
        found = lines_of(await exported(sync, connection, f"?format=jsonl&{query}"))
        assert found == listed[::-1], query
        assert count is None or len(found) == count, query
        if count is None:
            assert {one["table"] for one in found} == {"accounts"}


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-01",
        "answer=6xx",
        "host=%00",
        "operation=%00",
        "table=a;b",
        "format=xlsx",
    ],
)
async def test_a_filter_that_can_mean_nothing_is_refused(sync: Sync, query: str) -> None:
    connection = await sync.connect()
    answer = await sync.http.get(f"{sync.path}/{connection}/ledger/export?{query}")
    assert answer.status_code == 422


async def test_times_of_no_call_leave_out_all_or_nothing(sync: Sync) -> None:
    connection = await sync.connect()
    every = await exported(sync, connection, "?format=jsonl")
    first, last = "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"
    assert await exported(sync, connection, f"?format=jsonl&from={first}&to={last}") == every != ""
    assert await exported(sync, connection, f"?format=jsonl&to={first}") == ""
    assert await exported(sync, connection, f"?format=jsonl&from={last}") == ""


async def test_a_file_is_for_who_may_see_the_ledger_of_that_tenant(sync: Sync) -> None:
    connection = await sync.connect()
    path = f"{sync.path}/{connection}/ledger/export"
    assert (await sync.as_user(sync.tenant, "connection.view").get(path)).status_code == 403
    assert (await sync.http.get(f"{sync.path}/{uuid4()}/ledger/export")).status_code == 404
    await sync.http.delete(f"{sync.path}/{connection}")
    assert (await sync.http.get(path)).status_code == 200  # the ledger is kept
