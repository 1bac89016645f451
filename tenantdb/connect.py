"""The only way into a tenant's database: its own role and password, checked on every checkout."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import asyncpg

from contracts.ids import TenantId
from kit import logs, telemetry
from kit.problems import DependencyDown, Problem
from tenantdb.budget import Budget, Connection, Slot
from tenantdb.session import MAKER, Mode, TenantSession

_log = logs.get(__name__)
_BEGIN = {
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "write": "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
}
_CHECK = """SELECT current_database()::text, current_user::text,
    (SELECT tenant FROM public.tenant_identity), set_config('app.actor', $1, true)"""
# The same proof in the one statement of `read_row`: it yields a row even where the query has none.
_PROVED = """SELECT current_database()::text AS proved_database, current_user::text AS proved_role,
    (SELECT tenant FROM public.tenant_identity) AS proved_tenant, q.*
    FROM (SELECT) AS one LEFT JOIN LATERAL ({query}) AS q ON true"""
# InternalClientError: the server's farewell arrived in the moment a statement was sent.
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class TenantDatabaseRefused(Problem, status=503, slug="tenant-database-refused"):
    """The tenant's database is not what the directory says

    Nothing was read or written. The operator compares the directory with the database's identity.
    """


class TransactionLost(Exception):
    """A statement failed inside the block and its error was swallowed: nothing was written."""


@dataclass(frozen=True)
class Address:
    """Where one tenant's database is and how to log in; the role is named like the database."""

    tenant: TenantId
    host: str
    port: int
    database: str
    password: str = field(repr=False)


Lookup = Callable[[TenantId], Awaitable[Address]]


class TenantDatabases:
    """Sessions on tenant databases over one budget of connections.

    `lookup` gives a tenant's address, or raises the Problem that says why it may not be used; it
    is asked on every checkout. `budget` counts connections over all tenants, `per_tenant` those
    of one; whoever waits longer than `wait_s` gets DependencyDown.
    """

    def __init__(
        self,
        lookup: Lookup,
        *,
        budget: int = 40,
        per_tenant: int = 4,
        wait_s: float = 5.0,
        statement_timeout_s: float = 30.0,
    ) -> None:
        self._lookup, self._statement_timeout_s = lookup, statement_timeout_s
        self._budget = Budget(self._open, total=budget, per_tenant=per_tenant, wait_s=wait_s)

    def read(self, tenant: TenantId) -> AbstractAsyncContextManager[TenantSession]:
        """A REPEATABLE READ READ ONLY session: one moment, and no write gets through."""
        return _within_span(tenant, "read", self._session(tenant, "read", ""))

    def write(self, tenant: TenantId, *, actor: str) -> AbstractAsyncContextManager[TenantSession]:
        """A READ COMMITTED session; commits when the block ends without an error.

        `actor` ("user:<uuid>" or "service:<name>") stands in every journal row it causes.
        """
        return _within_span(tenant, "write", self._session(tenant, "write", actor))

    async def read_row(self, tenant: TenantId, query: str, *args: object) -> asyncpg.Record | None:
        """The row of one SELECT in a single round trip, proof included; None where there is none.

        `query` is constant text that gives at most one row, with a column `id` that is not NULL.
        """
        with _span("read", tenant):
            return await self._read_row(tenant, query, *args)

    async def _read_row(self, tenant: TenantId, query: str, *args: object) -> asyncpg.Record | None:
        address = await self._lookup(tenant)

        async def fetch(connection: Connection) -> asyncpg.Record:
            row = await _fetch_proof(connection, _PROVED.format(query=query), *args)
            return _proved(row, address)

        slot, row = await self._checkout(address, fetch)
        self._budget.give_back(slot)
        return None if row["id"] is None else row

    async def drain(self, tenant: TenantId) -> None:
        """End every connection of a tenant: idle ones now, busy ones within seconds."""
        await self._budget.drain(tenant)

    async def close(self) -> None:
        """End every connection."""
        await self._budget.close()

    @contextlib.asynccontextmanager
    async def _session(
        self, tenant: TenantId, mode: Mode, actor: str
    ) -> AsyncIterator[TenantSession]:
        address = await self._lookup(tenant)

        async def begin(connection: Connection) -> asyncpg.Record:
            await connection.execute(_BEGIN[mode])
            return _proved(await _fetch_proof(connection, _CHECK, actor), address)

        slot, _ = await self._checkout(address, begin)
        try:
            yield TenantSession(slot.connection, tenant, mode, maker=MAKER)
            await _commit(slot.connection)
        except Exception as error:
            await _roll_back(slot.connection)
            if isinstance(error, _LOST) and slot.connection.is_closed():
                raise DependencyDown("the connection to the tenant's database was lost") from error
            raise
        except BaseException:
            slot.connection.terminate()  # cancelled in mid-statement: its state is unknown
            raise
        finally:
            self._budget.give_back(slot)

    async def _checkout(
        self, address: Address, prove: Callable[[Connection], Awaitable[asyncpg.Record]]
    ) -> tuple[Slot, asyncpg.Record]:
        """A slot on a database that has proved to be the tenant's, and the row that proved it."""
        while True:
            slot, is_new = await self._budget.take(address.tenant)
            try:
                return slot, await prove(slot.connection)
            except BaseException as error:
                slot.connection.terminate()
                self._budget.give_back(slot)
                if not isinstance(error, _LOST):
                    raise
                if is_new:
                    raise DependencyDown("the tenant's database does not answer") from error

    async def _open(self, tenant: TenantId) -> Connection:
        address = await self._lookup(tenant)
        limit_ms = int(self._statement_timeout_s * 1000)
        try:
            return await asyncpg.connect(
                host=address.host,
                port=address.port,
                database=address.database,
                user=address.database,
                password=address.password,
                timeout=5,
                server_settings={
                    "application_name": "bulkhead",
                    "timezone": "UTC",
                    "jit": "off",
                    "statement_timeout": str(limit_ms),
                    "lock_timeout": "5000",
                    "idle_in_transaction_session_timeout": str(limit_ms),
                    "transaction_timeout": str(limit_ms * 4),
                },
            )
        except (*_LOST, TimeoutError) as error:
            raise DependencyDown("the tenant's database does not answer") from error


@contextlib.asynccontextmanager
async def _within_span(
    tenant: TenantId, mode: Mode, session: AbstractAsyncContextManager[TenantSession]
) -> AsyncIterator[TenantSession]:
    with _span(mode, tenant):
        async with session as opened:
            yield opened


def _span(mode: Mode, tenant: TenantId) -> contextlib.AbstractContextManager[object]:
    """One for a transaction, from the wait for a connection to its end; never a statement."""
    return telemetry.span(f"{mode} tenant database", "client", system="postgresql", tenant=tenant)


async def _fetch_proof(connection: Connection, query: str, *args: object) -> asyncpg.Record | None:
    """The row that names database, role and tenant first; None where that cannot be read."""
    try:
        return await connection.fetchrow(query, *args)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        return None


def _proved(row: asyncpg.Record | None, address: Address) -> asyncpg.Record:
    """The row; raises unless database, role and identity are all the tenant's."""
    if row is None or tuple(row)[:3] != (address.database, address.database, address.tenant):
        _log.error("tenant database refused", tenant=str(address.tenant))
        raise TenantDatabaseRefused
    return row


async def _commit(connection: Connection) -> None:
    if await connection.execute("COMMIT") != "COMMIT":
        raise TransactionLost


async def _roll_back(connection: Connection) -> None:
    try:
        async with asyncio.timeout(2):
            await connection.execute("ROLLBACK")
    except (*_LOST, TimeoutError):
        connection.terminate()
