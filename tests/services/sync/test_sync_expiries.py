"""Credentials that near their end are told of once for each threshold, and so are troubles."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.ids import ConnectionId
from kit import clock
from kit.db import Database
from sandbox.dataverse.tokens import Secret
from services.sync import announcing
from services.sync.expiries import THRESHOLDS, Expiries, threshold
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync

NOW = datetime(2026, 2, 27, 12, tzinfo=UTC)


@given(st.integers(-90, 90))
def test_the_nearest_threshold_counts(hours: int) -> None:
    left = timedelta(hours=hours * 12)
    found = threshold(NOW + left, NOW)
    expected = [days for days in THRESHOLDS if left <= timedelta(days=days)]
    assert found == (expected[-1] if expected else None)


async def notices(sync: Sync, topic: str) -> int:
    async with sync.parts.db.read() as session:
        query = text("SELECT count(*) FROM outbox WHERE topic = :topic")
        return int(await session.scalar(query, {"topic": topic}))


async def move(sync: Sync, sql: str) -> None:
    async with sync.parts.db.write() as session:
        await session.run(text(sql))


async def test_each_threshold_is_told_once_also_by_two_who_look(sync: Sync) -> None:
    end = clock.now() + timedelta(days=29, hours=1)
    connection = await sync.connect(secret_expires_at=end.isoformat())
    topic, looks = "sync.credential.expiring.v1", [Expiries(sync.parts.db) for _ in range(2)]
    for told, days in enumerate((29, 14, 7, 1), start=1):
        shown = f"interval '{days} days'"
        await move(sync, f"UPDATE credential SET expires_at = now() + {shown}")
        for _ in range(2):
            await asyncio.gather(*(one.look() for one in looks))
        assert await notices(sync, topic) == told
    await move(sync, "UPDATE credential SET expires_at = now() - interval '1 hour'")
    await looks[1].look()
    assert await notices(sync, topic) == 4
    [warning] = (await sync.get(f"/{connection}"))["warnings"]
    assert warning.startswith("the client secret in use has ended on 20")
    for days in (*THRESHOLDS, 0):
        labels = {"within_days": str(days)}
        assert REGISTRY.get_sample_value("bulkhead_sync_expiring_credentials", labels) == 1


async def test_an_installation_that_was_away_for_weeks_tells_once(sync: Sync) -> None:
    end = clock.now() + timedelta(hours=20)
    connection = await sync.connect(secret_expires_at=end.isoformat())
    await Expiries(sync.parts.db).look()
    await Expiries(sync.parts.db).look()
    assert await notices(sync, "sync.credential.expiring.v1") == 1
    [warning] = (await sync.get(f"/{connection}"))["warnings"]
    assert warning == f"the client secret in use ends on {end:%Y-%m-%d}, within a day"


async def test_a_new_secret_has_an_end_of_its_own(sync: Sync) -> None:
    soon, late = (clock.now() + timedelta(days=days) for days in (3, 300))
    connection = await sync.connect(secret_expires_at=soon.isoformat())
    there = sync.simulator
    secrets = [Secret(there.client_secret), Secret("the-new-one")]
    there.simulation.set_secrets(there.client_id, secrets)
    body = {"client_secret": "the-new-one", "expires_at": late.isoformat()}
    path = f"{sync.path}/{connection}/credentials"
    assert (await sync.http.put(path, json=body)).status_code == 204
    await Expiries(sync.parts.db).look()
    assert await notices(sync, "sync.credential.expiring.v1") == 0
    assert (await sync.get(f"/{connection}"))["warnings"] == []


@pytest.mark.parametrize(
    "moment",
    ["2027-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", 1, "soon"],
)
async def test_an_end_that_is_no_moment_is_refused(sync: Sync, moment: Any) -> None:
    answer = await sync.http.post(sync.path, json=sync.wanted(secret_expires_at=moment))
    assert answer.status_code == 422
    assert sync.simulator.requests() == []


async def test_a_connection_that_breaks_is_told_once(sync: Sync) -> None:
    connection = await sync.connect()
    there = sync.simulator
    there.simulation.set_secrets(there.client_id, [Secret("another")])
    sync.peer.fill(3)

    async def is_broken() -> bool:
        return bool((await sync.get(f"/{connection}"))["state"] == "broken")

    await eventually(is_broken)
    assert await notices(sync, "sync.connection.broken.v1") == 1


async def park(sync: Sync, connection: ConnectionId) -> None:
    async with sync.parts.db.write() as session:
        await announcing.rows_parked(session, sync.tenant, connection)


async def test_parked_rows_are_told_at_once_then_at_the_end_of_the_hour(
    sync: Sync, open_db: Callable[[str], Database], sync_url: str
) -> None:
    connection, topic = ConnectionId((await _only(sync))["id"]), "sync.rows.parked.v1"
    await asyncio.gather(*(park(sync, connection) for _ in range(4)))
    assert await notices(sync, topic) == 1
    await announcing.repeat(sync.parts.db)
    assert await notices(sync, topic) == 1, "not within the hour"
    await move(sync, "UPDATE announced SET at = at - interval '1 hour'")
    await asyncio.gather(announcing.repeat(sync.parts.db), announcing.repeat(open_db(sync_url)))
    assert await notices(sync, topic) == 2, "what came within the hour"
    await move(sync, "UPDATE announced SET at = at - interval '1 hour'")
    await announcing.repeat(sync.parts.db)
    assert await notices(sync, topic) == 2, "nothing has come since"
    await park(sync, connection)
    assert await notices(sync, topic) == 3


async def test_nothing_is_told_of_a_transaction_that_came_to_nothing(sync: Sync) -> None:
    connection = ConnectionId((await _only(sync))["id"])

    async def fail() -> None:
        async with sync.parts.db.write() as session:
            await announcing.rows_parked(session, sync.tenant, connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await park(sync, connection)
    assert await notices(sync, "sync.rows.parked.v1") == 1


async def _only(sync: Sync) -> dict[str, Any]:
    return await sync.get(f"/{await sync.connect()}")
