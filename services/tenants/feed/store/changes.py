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
    """What a connection may know of: records of the open modules, without their values.

    Open is what the customer has chosen and the connection maps: `open_field`, a view.
    """

    blank: Mapping[str, object] = {}

    def __init__(self, session: TenantSession, connection: ConnectionId) -> None:
        self._session, self._connection = session, connection

    async def modules(self) -> frozenset[str]:
        rows = await self._session.fetch(_SQL["modules"], self._connection)
        return frozenset(row["module"] for row in rows)

    async def is_another(self, after: str) -> bool:
        """Whether the choice, or what the connection maps, was changed since a position.

        That its mapping becomes known opens nothing: what was chosen before was open as it was.
        """
        of = str(self._connection)
        return await journal.has_changed(
            self._session, after, table="field_choice", first=of
        ) or await journal.has_changed(
            self._session, after, table="connection_mapping", first=of, but=["I"]
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
) -> str:
    """PresentRecords as JSON: records of a module with their open fields; no other field leaves."""
    found = [connection, module, array(ids)]
    return str(await session.fetchval(_SQL["chosen_values"], *found))


async def chosen_counts(session: TenantSession, connection: ConnectionId) -> str:
    """How many records each open module has, as a JSON object."""
    return str(await session.fetchval(_SQL["chosen_counts"], connection))


def _by_id(rows: Sequence[Record]) -> Mapping[UUID, str]:
    return {row["id"]: row["json"] for row in rows}


def _text(record: UUID | None) -> str | None:
    return None if record is None else str(record)
