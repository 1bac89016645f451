"""Changing a connection in place: looked at before it is saved, and what is known of the CRM's rows
is kept for as long as they are the same rows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from contracts.events import ConnectionChanged
from contracts.ids import ConnectionId, TenantId
from kit import outbox
from kit.db import Database, ReadSession, WriteSession
from kit.problems import NotFound
from services.sync.crm import ConnectionChange, address_with, connection_of
from services.sync.environments import Environments
from services.sync.looking_again import look_again
from services.sync.probes import Probes, require
from services.sync.problems import ConnectionStateConflict
from services.sync.schemas import Resync
from services.sync.store import connections, described, resyncing, to_forget
from services.sync.store.connections import ConnectionRow
from services.sync.store.to_forget import ToForget
from services.sync.targets import require_free

_Take = Callable[[WriteSession, Any, int], Awaitable[tuple[int, Any]]]
"""Takes the next records after the last one of before; how many, and the last, None at the end."""
_AT_ONCE = 5000  # rows in a transaction: more would take too long for one statement
_NAMES_MOST = 1000  # modules and columns that something is still to be forgotten of
_TIMES = 5  # somebody else changes it at the same moment: rarely once


class Changes:
    """No transaction is open while the CRM is asked; a push that runs meanwhile is overtaken."""

    def __init__(self, db: Database, environments: Environments, probes: Probes) -> None:
        self._db, self._environments, self._probes = db, environments, probes

    async def change(self, tenant: TenantId, id_: ConnectionId, wanted: ConnectionChange) -> None:
        """Probe with what is wanted, then save it; everything is compared anew.

        A broken connection whose CRM is well with it is active again. Raises NotFound,
        CrmAddressRefused, CrmTargetTaken, CrmProbeFailed, SecretMissing, TooManyRequests,
        ConnectionStateConflict.
        """
        for _ in range(_TIMES):
            async with self._db.read() as reading:
                row = await _get(reading, tenant, id_)
                changed = _changed(row, wanted)
                await require_free(reading, changed)
            await self._require_well(row, changed)
            if await self._saved(row, changed):
                return
        raise ConnectionStateConflict("others change the connection at the same moment")

    async def _require_well(self, row: ConnectionRow, changed: ConnectionRow) -> None:
        if _is_looked_at(row, changed):
            connection = connection_of(changed)
            known = self._environments.stored(connection, is_noted=False)
            require(await self._probes.look(connection, known))

    async def _saved(self, row: ConnectionRow, changed: ConnectionRow) -> bool:
        """False where somebody else has changed the row since: what was looked at is not it."""
        tenant, id_ = changed.tenant, changed.id
        async with self._db.write() as session:
            await connections.only_changer(session, tenant)
            await connections.alone(session, id_)
            present = await _get(session, tenant, id_)
            if _changeable(present) != _changeable(row):
                return False
            await require_free(session, changed)
            await connections.change(session, changed)
            if _is_looked_at(row, changed):
                await connections.set_state(session, id_, "active", was=["broken"])
            await _forget_what_moved(session, present, changed)
            await outbox.add(session, ConnectionChanged(tenant=tenant, connection=id_))
        return True

    async def resync(self, tenant: TenantId, id_: ConnectionId, wanted: Resync) -> int:
        """Take nothing that is known of the CRM's rows for granted; how many records it concerns.

        Their rows are written over whole, and made again where they are gone; rows of vanished
        records that are there again are found. Where all are meant, the feed is read again, too:
        whatever was lost on the way. Raises NotFound.
        """
        same_key, resynced = None, 0
        async with self._db.write() as session:
            row = await _get(session, tenant, id_)
            if wanted.module is not None and wanted.module not in row.modules:
                raise NotFound("the connection has no such module")
            if wanted.module is None:
                await connections.start_over(session, id_)
            elif wanted.key is not None:
                await connections.alone(session, id_)
                same_key = self._environments.same_key(connection_of(row), wanted.key)
                resynced = await resyncing.of_key(session, id_, wanted.module, same_key)
        if same_key is None:
            takes = _resyncing(id_, wanted.module)
            resynced = sum([await self._in_parts(id_, take) for take in takes])
        await look_again(self._db, id_, wanted.module, same_key)
        return resynced

    async def _in_parts(self, id_: ConnectionId, take: _Take) -> int:
        resynced, after = 0, None
        while True:
            async with self._db.write() as session:
                await connections.alone(session, id_)
                some, after = await take(session, after, _AT_ONCE)
            resynced += some
            if after is None:
                return resynced


def _resyncing(id_: ConnectionId, module: str | None) -> list[_Take]:
    """What concerns all records that are meant, each a part at a time."""

    async def everything(session: WriteSession, after: Any, most: int) -> tuple[int, Any]:
        return await resyncing.some_records(session, id_, after, most)

    if module is None:
        return [everything]

    async def of_module(session: WriteSession, after: Any, most: int) -> tuple[int, Any]:
        return await resyncing.of_module(session, id_, module, after, most)

    async def unkeyed(session: WriteSession, after: Any, most: int) -> tuple[int, Any]:
        return await resyncing.some_records(session, id_, after, most, module)

    return [of_module, unkeyed]


async def _get(session: ReadSession, tenant: TenantId, id_: ConnectionId) -> ConnectionRow:
    found = await connections.of_tenant(session, tenant, id_)
    if not found:
        raise NotFound
    return found[0]


def _changeable(row: ConnectionRow) -> tuple[object, ...]:
    return row.name, row.address, row.modules, row.missing


def _is_looked_at(row: ConnectionRow, changed: ConnectionRow) -> bool:
    """Whether the CRM has to be well with what is wanted."""
    return (changed.address, changed.modules) != (row.address, row.modules)


def _changed(row: ConnectionRow, wanted: ConnectionChange) -> ConnectionRow:
    modules: Mapping[str, Any] = row.modules
    if wanted.modules is not None:
        modules = {name: mapping.model_dump() for name, mapping in wanted.modules.items()}
    return replace(
        row,
        name=wanted.name or row.name,
        modules=modules,
        missing=wanted.missing or row.missing,
        address=address_with(row, wanted),
    )


async def _forget_what_moved(
    session: WriteSession, row: ConnectionRow, changed: ConnectionRow
) -> None:
    """All that was learnt of another CRM, table or key column. What was to be forgotten before
    and is not done yet begins anew."""
    if row.address != changed.address:
        await connections.leave_crm(session, row.id)
    what = _not_its_own(row, changed)
    if not what:
        return
    if others := [*what.gone, *what.moved]:
        await described.forget(session, row.id, others)
    both = ToForget.stored(row.to_forget).joined(what)
    if both.names > _NAMES_MOST:
        raise ConnectionStateConflict("what was changed before has to be forgotten first")
    await to_forget.put(session, row.id, both)


def _not_its_own(was: ConnectionRow, now: ConnectionRow) -> ToForget:
    """Another CRM, table or key column has other rows; what is mapped no more is not known."""
    before, after = connection_of(was), connection_of(now)
    moved = before.address.place != after.address.place
    columns = dict[str, list[str]]()
    for name in before.modules.keys() & after.modules.keys():
        # a lookup is cleared under a name that only its mapping tells: it keeps its last value
        left = before.modules[name].lookups.keys() - set(after.modules[name].fields.values())
        if left:
            columns[name] = sorted(left)
    return ToForget(
        gone=sorted(before.modules.keys() - after.modules.keys()),
        moved=[
            name
            for name, mapping in before.modules.items()
            if name in after.modules and (moved or mapping.target != after.modules[name].target)
        ],
        columns=columns,
    )
