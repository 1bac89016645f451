"""What the readers of feeds may see, cut to size inside the database: see changes.sql."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from contracts.ids import ConnectionId
from kit import statements
from tenantdb import TenantSession, array, journal

_SQL = statements.load(Path(__file__).with_suffix(".sql"))


class ChosenRecords:
    """What a connection may know of: records of the modules with a choice, without their values."""

    blank: Mapping[str, object] = {}

    def __init__(self, session: TenantSession, connection: ConnectionId) -> None:
        self._session, self._connection = session, connection

    async def modules(self) -> frozenset[str]:
        rows = await self._session.fetch(_SQL["modules"], self._connection)
        return frozenset(row["module"] for row in rows)

    async def is_another(self, after: str) -> bool:
        """Whether the choice was changed since a position."""
        return await journal.has_changed(
            self._session, after, table="field_choice", first=str(self._connection)
        )

    async def present(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The JSON of those of the records that exist."""
        rows = await self._session.fetch(_SQL["chosen_present"], self._connection, array(ids))
        return _by_id(rows)

    async def walk(self, after: UUID | None, limit: int) -> Mapping[UUID, str]:
        """The next records by id."""
        found = [self._connection, _text(after), limit]
        return _by_id(await self._session.fetch(_SQL["chosen_walk"], *found))


class WholeRecords:
    """What an API consumer may see: whole records of the modules that it may view in full."""

    blank: Mapping[str, object] = {"fields": {}}

    def __init__(self, session: TenantSession, names: frozenset[str]) -> None:
        self._session, self._names = session, names

    async def modules(self) -> frozenset[str]:
        return self._names

    async def is_another(self, after: str) -> bool:
        """Never: the modules are those of the caller's own grants, not of the database."""
        return False

    async def present(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        found = [array(sorted(self._names)), array(ids)]
        return _by_id(await self._session.fetch(_SQL["whole_present"], *found))

    async def walk(self, after: UUID | None, limit: int) -> Mapping[UUID, str]:
        found = [array(sorted(self._names)), _text(after), limit]
        return _by_id(await self._session.fetch(_SQL["whole_walk"], *found))


async def chosen_values(
    session: TenantSession, connection: ConnectionId, module: str, ids: Sequence[UUID]
) -> list[str]:
    """Records of a module with their chosen fields, as JSON; no other field leaves."""
    rows = await session.fetch(_SQL["chosen_values"], connection, module, array(ids))
    return [row["json"] for row in rows]


def _by_id(rows: Sequence[Record]) -> Mapping[UUID, str]:
    return {row["id"]: row["json"] for row in rows}


def _text(record: UUID | None) -> str | None:
    return None if record is None else str(record)
