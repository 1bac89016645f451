"""A CRM's tables change: that is noticed by what it describes, said in words, and stops in time."""

from uuid import UUID

from sqlalchemy import text

from contracts.ids import ConnectionId
from services.sync.crm import connection_of
from services.sync.store import connections
from tests.eventually import eventually
from tests.services.sync.running_sync import Sync
from tests.services.sync.typed_crm import alter


async def forget(sync: Sync, connection: str) -> None:
    """As if the minutes had passed for which a description is believed."""
    async with sync.parts.db.read() as session:
        row = await connections.get(session, ConnectionId(UUID(connection)))
    assert row is not None
    environments = sync.parts.registry._environments
    environments.of(connection_of(row)).forget_targets()


async def notices(sync: Sync) -> int:
    query = "SELECT count(*) FROM outbox WHERE topic LIKE '%connection.changed%'"
    async with sync.parts.db.read() as session:
        return int(await session.scalar(text(query)) or 0)


async def test_a_change_is_said_once_and_what_still_fits_is_sent(sync: Sync) -> None:
    sync.peer.put("K1", name="A", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    assert (await sync.get(f"/{connection}"))["schema_changed_at"] is None
    alter(sync.simulator, "accounts", name={"max_length": 20}, bulkhead_sector={"max_length": 50})
    await forget(sync, connection)
    before = await notices(sync)
    sync.peer.put("K2", name="B", sector="Water")
    await sync.settled(connection, ok=2)
    shown = await sync.get(f"/{connection}")
    assert shown["schema_changes"] == [
        "module organisation: the column 'name' takes 20 UTF-16 units, before 160",
        "module organisation: the column 'bulkhead_sector' takes 50 UTF-16 units, before 100",
    ]
    assert await notices(sync) == before + 1
    await forget(sync, connection)
    sync.peer.put("K3", name="C", sector="Water")
    await sync.settled(connection, ok=3)
    again = await sync.get(f"/{connection}")
    assert again["schema_changed_at"] == shown["schema_changed_at"] is not None


async def test_a_mapped_column_that_is_gone_breaks_the_connection_before_a_row_is_sent(
    sync: Sync,
) -> None:
    sync.peer.put("K1", name="A", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    alter(sync.simulator, "accounts", bulkhead_sector=None)
    await forget(sync, connection)
    sent = len(sync.batches())
    sync.peer.put("K2", name="B", sector="Water")

    async def broken() -> bool:
        return bool((await sync.get(f"/{connection}"))["state"] == "broken")

    await eventually(broken)
    shown = await sync.get(f"/{connection}")
    assert shown["reason"] == (
        "module organisation: the table 'accounts' has no column 'bulkhead_sector'"
    )
    assert shown["schema_changes"] == ["module organisation: the column 'bulkhead_sector' is gone"]
    assert len(sync.batches()) == sent
    sync.simulator.simulation.organisation.schema.reset()
    assert (await sync.http.post(f"{sync.path}/{connection}/test")).json()["ok"]
    await sync.settled(connection, ok=2)
    assert (await sync.get(f"/{connection}"))["schema_changes"] == [
        "module organisation: the column 'bulkhead_sector' is there again"
    ]


async def test_of_a_removed_connection_nothing_is_kept_of_what_its_crm_has_described(
    sync: Sync,
) -> None:
    sync.peer.put("K1", name="A", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)

    async def kept() -> int:
        async with sync.parts.db.read() as session:
            return int(await session.scalar(text("SELECT count(*) FROM described")))

    assert await kept() == 1
    assert (await sync.http.delete(f"{sync.path}/{connection}")).status_code == 204
    assert await kept() == 0


async def test_a_probe_and_the_push_after_it_ask_once(sync: Sync) -> None:
    sync.peer.put("K1", name="A", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    calls = (await sync.get(f"/{connection}/ledger"))["calls"]
    assert [one["operation"] for one in calls].count("describe-types") == 1


async def test_what_an_old_description_refuses_is_looked_at_with_a_new_one(sync: Sync) -> None:
    """Also rows that were refused before it: nobody has to wait until each has its second look."""
    alter(sync.simulator, "accounts", bulkhead_sector={"max_length": 6})
    sync.peer.put("K1", name="A", sector="Energy of the wind")
    connection = await sync.connect()
    await sync.settled(connection, parked=1)
    alter(sync.simulator, "accounts", bulkhead_sector={"max_length": 50})
    sync.peer.put("K2", name="B", sector="Energy of the sun")
    await sync.settled(connection, ok=2)


async def test_a_retry_of_what_was_refused_is_no_matter_of_an_old_description(sync: Sync) -> None:
    alter(sync.simulator, "accounts", bulkhead_sector={"max_length": 6})
    sync.peer.put("K1", name="A", sector="Energy of the wind")
    connection = await sync.connect()
    await sync.settled(connection, parked=1)
    alter(sync.simulator, "accounts", bulkhead_sector={"max_length": 50})
    assert (await sync.http.post(f"{sync.path}/{connection}/retry")).json() == {"retried": 1}
    await sync.settled(connection, ok=1)
