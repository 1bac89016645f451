"""Whose push is next: tenants take turns, and no tenant ever holds more workers than its share."""

import asyncio
from collections import Counter

from contracts.ids import ConnectionId, TenantId


class Turns:
    """`ask` for a push, `take` the next one, `give_back` when it has ended.

    A tenant with a running push waits while another tenant without one waits, and holds at most
    `share` at once. A connection that is asked for while it runs has another turn afterwards.
    """

    def __init__(self, share: int) -> None:
        self._share = share
        self._waiting: dict[TenantId, dict[ConnectionId, None]] = {}
        self._running: dict[ConnectionId, TenantId] = {}
        self._changed = asyncio.Event()

    def ask(self, tenant: TenantId, connection: ConnectionId) -> None:
        """Several questions before the turn are one."""
        self._waiting.setdefault(tenant, {})[connection] = None
        self._changed.set()

    async def take(self) -> tuple[TenantId, ConnectionId]:
        """Wait for the next turn; whoever takes it gives it back."""
        while (found := self._next()) is None:
            self._changed.clear()
            await self._changed.wait()
        tenant, connection = found
        waiting = self._waiting.pop(tenant)
        del waiting[connection]
        if waiting:
            self._waiting[tenant] = waiting  # behind the others
        self._running[connection] = tenant
        return found

    def give_back(self, connection: ConnectionId) -> None:
        del self._running[connection]
        self._changed.set()

    def _next(self) -> tuple[TenantId, ConnectionId] | None:
        """Of the tenants with the fewest running pushes the one that has waited longest."""
        held = Counter(self._running.values())
        fewest, found = self._share, None
        for tenant, waiting in self._waiting.items():
            if held[tenant] >= fewest:
                continue
            connection = next((one for one in waiting if one not in self._running), None)
            if connection is not None:
                fewest, found = held[tenant], (tenant, connection)
            if fewest == 0:
                break
        return found
