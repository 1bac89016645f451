"""SQL of the feeds: present values of records, cut to the chosen fields inside the database."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from tenantdb import TenantSession, array, journal

_ROW = """json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'op', 'upsert',
    'version', r.version, 'fields', {fields})::text AS json"""
# A chosen field without a value leaves as null, so that clearing it reaches the other side.
_CHOSEN_ROW = _ROW.format(
    fields="(SELECT jsonb_object_agg(f, r.data -> f) FROM unnest(c.fields) AS f)"
)
_WHOLE_ROW = _ROW.format(fields="r.data")
_CHOICE = """WITH choice AS MATERIALIZED (
    SELECT module, array_agg(field) AS fields FROM field_choice
    WHERE connection = $1 GROUP BY module)"""

_MODULES = "SELECT DISTINCT module FROM field_choice WHERE connection = $1 ORDER BY module"
_PRESENT = f"""{_CHOICE} SELECT r.id, {_CHOSEN_ROW} FROM record r JOIN choice c USING (module)
    WHERE r.id = ANY ($2::text::uuid[]) AND ($3::text IS NULL OR r.module = $3)"""  # noqa: S608 - constants
_WALK = f"""{_CHOICE} SELECT r.id, {_CHOSEN_ROW} FROM record r JOIN choice c USING (module)
    WHERE ($2::text IS NULL OR r.id > $2::text::uuid)
    ORDER BY r.id LIMIT $3"""  # noqa: S608 - constants
_WHOLE_PRESENT = f"""SELECT r.id, {_WHOLE_ROW} FROM record r
    WHERE r.module = ANY ($1::text::text[]) AND r.id = ANY ($2::text::uuid[])"""  # noqa: S608 - constants
_WHOLE_WALK = f"""SELECT r.id, {_WHOLE_ROW} FROM record r
    WHERE r.module = ANY ($1::text::text[]) AND ($2::text IS NULL OR r.id > $2::text::uuid)
    ORDER BY r.id LIMIT $3"""  # noqa: S608 - constants


class ChosenFields:
    """What a connection may see: records of the modules with a choice, chosen fields only."""

    def __init__(self, session: TenantSession, connection: UUID) -> None:
        self._session, self._connection = session, connection

    async def modules(self) -> frozenset[str]:
        rows = await self._session.fetch(_MODULES, self._connection)
        return frozenset(row["module"] for row in rows)

    async def is_another(self, after: str) -> bool:
        """Whether the choice was changed since a position."""
        return await journal.has_changed(
            self._session, after, table="field_choice", first=str(self._connection)
        )

    async def present(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The JSON of those of the records that exist."""
        return await self._present(ids, None)

    async def of_module(self, module: str, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The same for records of one module."""
        return await self._present(ids, module)

    async def _present(self, ids: Sequence[UUID], module: str | None) -> Mapping[UUID, str]:
        rows = await self._session.fetch(_PRESENT, self._connection, array(ids), module)
        return {row["id"]: cast(str, row["json"]) for row in rows}

    async def walk(self, after: UUID | None, limit: int) -> Mapping[UUID, str]:
        """The next records by id."""
        rows = await self._session.fetch(_WALK, self._connection, _text(after), limit)
        return {row["id"]: cast(str, row["json"]) for row in rows}


class WholeRecords:
    """What an API consumer may see: whole records of the modules that it may view in full."""

    def __init__(self, session: TenantSession, names: frozenset[str]) -> None:
        self._session, self._names = session, names

    async def modules(self) -> frozenset[str]:
        return self._names

    async def is_another(self, after: str) -> bool:
        """Never: the modules are those of the caller's own grants, not of the database."""
        return False

    async def present(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        rows = await self._session.fetch(_WHOLE_PRESENT, array(sorted(self._names)), array(ids))
        return {row["id"]: cast(str, row["json"]) for row in rows}

    async def walk(self, after: UUID | None, limit: int) -> Mapping[UUID, str]:
        names = array(sorted(self._names))
        rows = await self._session.fetch(_WHOLE_WALK, names, _text(after), limit)
        return {row["id"]: cast(str, row["json"]) for row in rows}


def _text(record: UUID | None) -> str | None:
    return None if record is None else str(record)
