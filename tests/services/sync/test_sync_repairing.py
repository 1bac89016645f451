"""What a customer finds and repairs: outcomes by reason, retries of some, and their number."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import services.sync
from services.sync.reasons import ReasonCode
from tests.services.sync.running_sync import Sync

_FOLDER = Path(services.sync.__file__).parent


async def broken(sync: Sync) -> str:
    """Six rows: three are fine, two have a value that is refused, one a key that is."""
    sync.peer.fill(3)
    for key in ("LONG-1", "LONG-2"):
        sync.peer.put(key, name="x" * 200, sector="Energy")
    sync.peer.put("A/B", name="no such key")
    connection = await sync.connect()
    await sync.settled(connection, ok=3, parked=3)
    return connection


async def found(sync: Sync, connection: str, query: str) -> list[str]:
    page = await sync.get(f"/{connection}/outcomes?{query}")
    return sorted(one["key"] for one in page["outcomes"])


async def test_outcomes_are_found_by_what_they_are(sync: Sync) -> None:
    connection = await broken(sync)
    assert await found(sync, connection, "code=value-refused") == ["LONG-1", "LONG-2"]
    assert await found(sync, connection, "state=parked&code=key-refused") == ["A/B"]
    assert await found(sync, connection, "key=K1") == ["K1"]
    assert await found(sync, connection, "key=k1") == []
    assert await found(sync, connection, "key=A%2FB&state=ok") == []
    assert len(await found(sync, connection, "module=organisation")) == 6
    assert await found(sync, connection, "module=person") == []
    one = (await sync.get(f"/{connection}/outcomes?key=LONG-1"))["outcomes"][0]
    assert await found(sync, connection, f"record={one['record']}") == ["LONG-1"]
    assert await found(sync, connection, f"record={uuid4()}") == []


async def test_pages_of_a_filter_hold_each_row_once(sync: Sync) -> None:
    connection = await broken(sync)
    first = await sync.get(f"/{connection}/outcomes?code=value-refused&limit=1")
    place = f"cursor={first['cursor']}&limit=1"
    second = await sync.get(f"/{connection}/outcomes?code=value-refused&{place}")
    assert {one["outcomes"][0]["key"] for one in (first, second)} == {"LONG-1", "LONG-2"}


async def test_the_summary_counts_every_row_once_and_as_the_connection_does(sync: Sync) -> None:
    connection = await broken(sync)
    counts = (await sync.get(f"/{connection}/outcomes/summary"))["counts"]
    by = {(one["module"], one["state"], one["code"]): one["rows"] for one in counts}
    assert by == {
        ("organisation", "ok", ""): 3,
        ("organisation", "parked", "key-refused"): 1,
        ("organisation", "parked", "value-refused"): 2,
    }
    view = await sync.get(f"/{connection}")
    assert sum(view["outcomes"].values()) == sum(by.values())


@pytest.mark.parametrize(
    "query",
    ["key=%00", "key=", "code=because", "module=X", "record=7", "state=sent", "table=accounts"],
)
async def test_a_filter_that_can_mean_nothing_is_refused(sync: Sync, query: str) -> None:
    connection = await sync.connect()
    assert (await sync.http.get(f"{sync.path}/{connection}/outcomes?{query}")).status_code == 422


async def retried(sync: Sync, connection: str, **body: Any) -> int:
    content = json.dumps(body) if body else None
    headers = {"content-type": "application/json"} if body else {}
    path = f"{sync.path}/{connection}/retry"
    answer = await sync.http.post(path, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["retried"])


async def test_one_row_those_of_a_reason_of_a_module_and_all_are_tried_again(sync: Sync) -> None:
    connection = await broken(sync)
    one = (await sync.get(f"/{connection}/outcomes?key=LONG-1"))["outcomes"][0]
    await sync.http.post(f"{sync.path}/{connection}/pause")
    assert await retried(sync, connection, record=one["record"]) == 1
    assert await retried(sync, connection, record=one["record"]) == 0  # it is due already
    assert await retried(sync, connection, code="value-refused", module="person") == 0
    assert await retried(sync, connection, code="value-refused") == 1
    assert await retried(sync, connection, module="organisation") == 1
    assert await retried(sync, connection, all=True) == 0
    counts = (await sync.get(f"/{connection}"))["outcomes"]
    assert counts == {"ok": 3, "pending": 3}
    await sync.http.post(f"{sync.path}/{connection}/resume")
    await sync.settled(connection, ok=3, parked=3)
    assert await retried(sync, connection) == 3


async def test_a_row_that_was_mended_in_the_crm_is_repaired_by_a_retry(sync: Sync) -> None:
    sync.simulator.add_fault(
        kind="refuse_row", table=sync.simulator.TABLE, message="Not on a Friday."
    )
    sync.peer.put("ONE", name="A")
    connection = await sync.connect()
    await sync.settled(connection, parked=1)
    assert await retried(sync, connection, code="refused-by-rule") == 1
    await sync.settled(connection, ok=1)
    row = (await sync.get(f"/{connection}/outcomes"))["outcomes"][0]
    assert (row["code"], row["reason"]) == ("", "")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"all": True, "code": "refused"},
        {"record": str(uuid4()), "module": "organisation"},
        {"code": "because"},
        {"everything": True},
    ],
)
async def test_a_retry_that_does_not_say_what_it_means_is_refused(
    sync: Sync, body: dict[str, Any]
) -> None:
    connection = await sync.connect()
    answer = await sync.http.post(f"{sync.path}/{connection}/retry", json=body)
    assert answer.status_code == 422


def codes_in(tree: ast.AST) -> Iterator[str]:
    """What is given as `code`, to `parked`, or stands beside a reason in a table."""
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Call):
            found += [one.value for one in node.keywords if one.arg == "code"]
            if isinstance(node.func, ast.Name) and node.func.id == "parked":
                found += node.args[3:4]
        elif isinstance(node, ast.Dict):
            found += [one.elts[1] for one in node.values if isinstance(one, ast.Tuple)]
        yield from (str(one.value) for one in found if isinstance(one, ast.Constant))


def test_every_code_that_is_given_is_on_the_list() -> None:
    """Elsewhere a row would have a reason that nobody can ask for."""
    files = [file for folder in ("push", "crm") for file in (_FOLDER / folder).rglob("*.py")]
    given = {code for file in files for code in codes_in(ast.parse(file.read_text()))}
    assert given >= {"key-taken", "key-refused", "refused-by-rule", "raced", "gone"}
    assert given <= set(ReasonCode)
