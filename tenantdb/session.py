"""A checked-out tenant connection: only tenantdb.connect makes it, always in a transaction."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from asyncpg import Record

from contracts.ids import TenantId
from tenantdb.budget import Connection

Mode = Literal["read", "write"]

MAKER: Final = object()


class TenantSession:
    """SQL on exactly one tenant's database, inside one transaction.

    A read session is REPEATABLE READ READ ONLY: everything it returns is of one moment. A write
    session is READ COMMITTED and names its actor, which the journal keeps. Parameters are `$1`
    style; pass arrays as text (`$1::text::uuid[]`, see `array`); jsonb comes back as text.
    """

    __slots__ = ("_connection", "mode", "tenant")

    def __init__(
        self, connection: Connection, tenant: TenantId, mode: Mode, *, maker: object
    ) -> None:
        if maker is not MAKER:
            raise TypeError("a TenantSession comes from TenantDatabases.read or .write only")
        self._connection = connection
        self.tenant = tenant
        self.mode: Mode = mode

    async def fetch(self, query: str, *args: object) -> list[Record]:
        """Every row of the answer."""
        return await self._connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        """The first row, or None."""
        return await self._connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        return await self._connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; the answer is PostgreSQL's command tag ("UPDATE 3")."""
        return await self._connection.execute(query, *args)


def array(values: Sequence[object]) -> str:
    """The text of a PostgreSQL array, for `$n::text::uuid[]` and the like.

    On purpose: an array parameter makes asyncpg look types up on every new connection
    (17.8 ms instead of 4.2 ms for the first query of a cold tenant).
    """
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
