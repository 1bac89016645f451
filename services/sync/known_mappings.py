"""Tells tenants which connections there are and what they map: nothing else may be chosen there.

A call that is lost costs a minute: the sweep tells what tenants has not confirmed, and all of it
again from time to time, so that a side which has forgotten something is mended, too.
"""

from contracts.clients import TenantsClient
from contracts.ids import ConnectionId
from kit import logs
from kit.db import Database
from kit.problems import Problem
from services.sync.store import known_mappings as store
from services.sync.store.known_mappings import DueMapping

_REPEAT_S = 3600.0
_MOST = 100  # in one sweep
_log = logs.get(__name__)


class KnownMappings:
    """What tenants does not confirm is told again after `again_s`."""

    def __init__(
        self, db: Database, tenants: TenantsClient, again_s: float, *, most: int = _MOST
    ) -> None:
        self._db, self._tenants = db, tenants
        self._again_s, self._most = again_s, most

    async def tell(self, connection: ConnectionId) -> None:
        """Of one connection, now; where that fails, the sweep does it."""
        await self._tell_all(await self._take(1, connection))

    async def sweep(self) -> None:
        """Of what is due, a page of it: the rest is due in the next sweep."""
        await self._tell_all(await self._take(self._most))

    async def _take(self, most: int, only: ConnectionId | None = None) -> list[DueMapping]:
        async with self._db.write() as session:
            return await store.take(session, most, self._again_s, only)

    async def _tell_all(self, due: list[DueMapping]) -> None:
        """One that nobody can tell of holds up no other; many of them are one line of the log."""
        failed: dict[str, ConnectionId] = {}
        for one in due:
            try:
                await self._tell(one)
            except Problem as problem:
                failed[problem.slug] = one.id
            except Exception:
                _log.exception("tenants was not told of a connection", connection=str(one.id))
        for slug, last in failed.items():
            _log.warning("tenants was not told of connections", slug=slug, connection=str(last))

    async def _tell(self, due: DueMapping) -> None:
        if due.is_removed:
            await self._tenants.unregister(due.tenant, due.id)
        else:
            modules = {name: sorted(one["fields"]) for name, one in due.modules.items()}
            await self._tenants.register(due.tenant, due.id, modules)
        async with self._db.write() as session:
            await store.note(session, due, _REPEAT_S)
