"""Series in a real index and vault: a full and what hangs on it are kept, and go, as one.

Nothing makes backups that hang on others yet: these are rows and manifests made by hand.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts.ids import BackupId, TenantId, new_id
from kit import clock
from kit.db import Database
from kit.sealing import SigningKey
from services.backup.runs.stocktake import Stocktake
from services.backup.store import tenants, turns
from services.backup.store.turns import Turn
from services.backup.vault.catalogue import Catalogue
from services.backup.vault.objects import Vault
from tests.services.backup.hand_made import published

_ROW = """
INSERT INTO snapshot (snapshot, tenant, cause, state, taken_at, base)
VALUES (:backup, :tenant, 'demand', 'verified', :at, :base)"""
_HOUR = timedelta(hours=1)


class Shelf:
    """A tenant's backups, each an hour younger than the one before."""

    def __init__(self, db: Database, catalogue: Catalogue) -> None:
        self.db, self.catalogue, self.tenant = db, catalogue, TenantId(new_id())
        self.turn, self.at = Turn(db, self.tenant, uuid4()), clock.now() - 100 * _HOUR

    async def open(self) -> None:
        now = clock.now()
        async with self.db.write() as session:
            await tenants.add(session, self.tenant)
            await turns.take(session, self.tenant, self.turn.holder, now, now + _HOUR)

    async def put(self, base: BackupId | None = None) -> BackupId:
        self.at += _HOUR
        made = (await published(self.catalogue, self.tenant, at=self.at)).manifest
        row = {"backup": made.backup, "tenant": self.tenant, "at": self.at, "base": base}
        async with self.db.write() as session:
            await session.run(text(_ROW), row)
        return made.backup

    async def take_stock(self) -> None:
        await Stocktake(self.db, self.catalogue, timedelta(0)).take(self.turn)

    async def listed(self) -> list[BackupId]:
        async with self.db.read() as session:
            query = "SELECT snapshot FROM snapshot WHERE state = 'verified' ORDER BY taken_at"
            return [BackupId(row["snapshot"]) for row in await session.all(text(query))]

    async def stored(self) -> list[BackupId]:
        """By their manifests; each has its data, and no other data lies there."""
        entries = await self.catalogue.entries(self.tenant)
        data = {one.name for one in await self.catalogue.vault.list(f"{self.tenant}/data")}
        assert data == {entry.manifest.object for entry in entries}
        return [entry.manifest.backup for entry in entries]


@pytest.fixture
async def shelf(
    service_db: Callable[[str], Awaitable[str]],
    open_db: Callable[[str], Database],
    tmp_path: Path,
) -> Shelf:
    catalogue = Catalogue(Vault.local(tmp_path / "vault"), SigningKey.generate())
    made = Shelf(open_db(await service_db("backup")), catalogue)
    await made.open()
    return made


async def test_five_fulls_stay_with_all_that_hangs_on_them_and_the_sixth_ends_the_first(
    shelf: Shelf,
) -> None:
    first = await shelf.put()
    going = [first, await shelf.put(first), await shelf.put(first)]
    second = await shelf.put()
    kept = [second, await shelf.put(second), await shelf.put(second)]
    kept += [await shelf.put() for _ in range(3)]
    await shelf.take_stock()
    assert await shelf.listed() == await shelf.stored() == going + kept
    kept.append(await shelf.put())
    await shelf.take_stock()
    assert await shelf.listed() == await shelf.stored() == kept


async def test_what_comes_late_on_an_old_full_neither_keeps_it_nor_outlives_it(
    shelf: Shelf,
) -> None:
    first = await shelf.put()
    kept = [await shelf.put() for _ in range(5)]
    await shelf.put(first)
    await shelf.take_stock()
    assert await shelf.listed() == await shelf.stored() == kept


@pytest.mark.parametrize("deletions", [1, 2])
async def test_who_dies_while_a_series_is_deleted_leaves_what_the_next_one_deletes(
    shelf: Shelf, deletions: int
) -> None:
    first = await shelf.put()
    hanging = [await shelf.put(first) for _ in range(2)]
    kept = [await shelf.put() for _ in range(5)]
    async with shelf.db.write() as session:
        marked = "UPDATE snapshot SET state = 'expired' WHERE :first IN (snapshot, base)"
        await session.run(text(marked), {"first": first})
    for gone in hanging[-deletions:]:
        entry = await shelf.catalogue.entry(shelf.tenant, gone)
        await shelf.catalogue.remove(shelf.tenant, gone, entry)
    await shelf.take_stock()
    assert await shelf.listed() == await shelf.stored() == kept


async def test_a_full_that_is_lost_keeps_its_series_until_its_time_is_over(shelf: Shelf) -> None:
    """What hangs on it may continue the full before it."""
    first, lost = await shelf.put(), await shelf.put()
    on_lost = await shelf.put(lost)
    entry = await shelf.catalogue.entry(shelf.tenant, lost)
    await shelf.catalogue.remove(shelf.tenant, lost, entry)
    kept = [await shelf.put() for _ in range(4)]
    await shelf.take_stock()
    assert await shelf.listed() == await shelf.stored() == [first, on_lost, *kept]
    kept.append(await shelf.put())
    await shelf.take_stock()
    assert await shelf.listed() == await shelf.stored() == kept
