"""What becomes of rows whose record, choice or CRM row is gone: as the policies say, never more."""

from typing import Any

import pytest

from tests.eventually import eventually
from tests.services.sync.running_sync import Sync


def mapping(sync: Sync, **policies: str) -> dict[str, Any]:
    """The modules of a connection with these policies."""
    return {"modules": {"organisation": sync.simulator.MAPPING | policies}}


@pytest.mark.parametrize(
    ("missing", "counts", "rows"),
    [("recreate", {"ok": 1}, 1), ("park", {"parked": 1}, 0), ("forget", {"removed": 1}, 0)],
)
async def test_a_row_that_was_deleted_there_is_seen_and_never_comes_back_as_a_fragment(
    sync: Sync, missing: str, counts: dict[str, int], rows: int
) -> None:
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(missing=missing)
    await sync.settled(connection, ok=1)
    sync.simulator.lose("A")
    calls = len(sync.batches())
    sync.peer.put("A", sector="Materials")
    await eventually(lambda: len(sync.batches()) > calls)
    await sync.settled(connection, **counts)
    assert len(sync.simulator.records()) == rows
    for row in sync.simulator.records():
        assert (row["name"], row[sync.simulator.SECTOR]) == ("One", "Materials")


@pytest.mark.parametrize(("policy", "rows"), [("keep", [0]), ("delete", []), ("deactivate", [1])])
async def test_what_becomes_of_a_deleted_records_row_is_the_modules_policy(
    sync: Sync, policy: str, rows: list[int]
) -> None:
    record = sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(**mapping(sync, deletions=policy))
    await sync.settled(connection, ok=1)
    sync.peer.delete(record)
    await sync.settled(connection, removed=1)
    assert [row.get("statecode", 0) for row in sync.simulator.records()] == rows
    sync.peer.put("A", name="Again", sector=None)
    await sync.settled(connection, ok=1, removed=1)
    [row] = sync.simulator.records()
    assert row.get("statecode", 0) == 0
    assert (row["name"], row.get(sync.simulator.SECTOR)) == ("Again", None)


async def test_no_row_is_deleted_because_its_module_was_withdrawn(sync: Sync) -> None:
    sync.peer.fill(3)
    connection = await sync.connect(**mapping(sync, deletions="delete"))
    await sync.settled(connection, ok=3)
    sync.peer.choice = {}
    await sync.settled(connection, removed=3)
    assert len(sync.simulator.records()) == 3


async def test_a_withdrawn_field_is_cleared_where_the_module_says_so(sync: Sync) -> None:
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(**mapping(sync, withdrawn="clear"))
    await sync.settled(connection, ok=1)
    sync.peer.choice = {"organisation": ["name"]}
    await eventually(lambda: sync.simulator.records()[0].get(sync.simulator.SECTOR) is None)
    await sync.settled(connection, ok=1)
    assert sync.simulator.records()[0]["name"] == "One"


@pytest.mark.parametrize("missing", ["recreate", "park", "forget"])
async def test_a_resync_makes_a_row_again_whatever_was_decided_when_it_was_missed(
    sync: Sync, missing: str
) -> None:
    """The environment was restored, and something was pushed before its owner asked for all."""
    sync.peer.put("A", name="One", sector="Energy")
    connection = await sync.connect(missing=missing)
    await sync.settled(connection, ok=1)
    sync.simulator.lose("A")
    calls = len(sync.batches())
    sync.peer.put("A", sector="Materials")
    await eventually(lambda: len(sync.batches()) > calls)
    answer = await sync.http.post(f"{sync.path}/{connection}/resync", json={})
    assert answer.status_code == 200
    await eventually(lambda: "A" in sync.simulator.by_key())
    row = sync.simulator.by_key()["A"]
    assert (row["name"], row[sync.simulator.SECTOR]) == ("One", "Materials")
    await sync.settled(connection, ok=1)
