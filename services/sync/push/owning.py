"""One row of the CRM has one owner, by its id there; one that is left is kept in mind."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from contracts.ids import ConnectionId
from kit.db import WriteSession
from services.sync.connection import ModuleMapping
from services.sync.push.difference import IN_FLIGHT
from services.sync.store import left_rows, outgoing, regaining, settling
from services.sync.store.left_rows import LeftRow
from services.sync.store.outgoing import DueRow
from services.sync.store.regaining import Unknown
from services.sync.store.settling import Settlement


@dataclass(frozen=True)
class Owning:
    """Of one module's records in one push."""

    connection: ConnectionId
    module: str
    mapping: ModuleMapping

    async def arranged(
        self,
        session: WriteSession,
        rows: Mapping[UUID, DueRow],
        settled: Sequence[Settlement],
        busy: Collection[UUID],
    ) -> list[Settlement]:
        """The settlements as they have to be: whoever has got a row that was another's, or that was
        left with what somebody had sent, is not done yet. `busy` are records on their way.
        """
        changed = [one for one in settled if one.owns and one.crm_id != rows[one.record].crm_id]
        left = [self._left(rows[one.record]) for one in changed if rows[one.record].crm_id]
        await left_rows.add(session, self.connection, left)
        unsure = [rows[one.record] for one in settled if _is_unsure(one, rows[one.record])]
        await left_rows.doubt(session, self.connection, [self._left(row) for row in unsure])
        gained = {one.crm_id: one.record for one in changed if one.crm_id is not None}
        if not gained:
            return list(settled)
        unknown, contested = await self._take(session, gained, busy)
        return [_undone(one, unknown, contested) for one in settled]

    async def give_up(self, session: WriteSession, records: Sequence[UUID]) -> None:
        """Others have the keys of these vanished records, and the rows with them are not there."""
        if records:
            known = await outgoing.known(session, self.connection, records)
            await left_rows.add(
                session, self.connection, [self._left(row) for row in known if row.crm_id]
            )
            await settling.give_up_rows(session, self.connection, records)

    async def _take(
        self, session: WriteSession, gained: Mapping[str, UUID], busy: Collection[UUID]
    ) -> tuple[set[UUID], set[UUID]]:
        """Records whose row may hold what others have sent; those whose row changes just now."""
        found = await left_rows.take(session, self.connection, gained)
        others = await regaining.dispossess(session, self.connection, gained)
        await outgoing.mark_again(session, self.connection, [one.record for one in others])
        held = [(gained[one.crm_id], one.columns) for one in found]
        held += [(gained[one.crm_id], one.columns) for one in others]
        mapped = set(self.mapping.fields.values())
        unknown = [
            Unknown(record, dict.fromkeys(mapped.intersection(columns), IN_FLIGHT))
            for record, columns in held
        ]
        await regaining.forget_values(session, self.connection, unknown)
        contested = {gained[one.crm_id] for one in others if one.record in busy}
        return {record for record, _ in held}, contested

    def _left(self, row: DueRow) -> LeftRow:
        key = row.crm_key or row.same_key or ""
        return LeftRow(row.crm_id or "", self.module, row.record, key, list(row.sent))


def _is_unsure(one: Settlement, row: DueRow) -> bool:
    """Whether nobody has asked for its row since a resync: it is parked before it was sent."""
    is_parked = one.state == "parked" and not one.owns
    return is_parked and row.recreates and row.crm_id is not None


def _undone(one: Settlement, unknown: Collection[UUID], contested: Collection[UUID]) -> Settlement:
    if one.record in contested:
        return Settlement(one.record, "pending", one.not_before, owns=True)
    return replace(one, state="pending") if one.record in unknown and one.state == "ok" else one
