"""Whose push is next: tenants alternate within their shares, and slow ones have a lane."""

import asyncio
from collections import Counter

from contracts.ids import ConnectionId, TenantId

_REMEMBERED = 10_000


class PushQueue:
    """`ask` for a push, `take` the next one, `give_back` when it has ended.

    A tenant with a running push waits while another tenant without one waits, and holds at most
    `share` at once. A connection that is asked for while it runs is next once more afterwards.

    A connection whose push overstayed is slow until one of its pushes was quick. All slow ones
    together hold at most `share`, those of one tenant half of it: whatever hangs at however many
    CRMs, the other workers are for the quick ones.
    """

    def __init__(self, share: int) -> None:
        self._share, self._slow_share = share, max(1, share // 2)
        self._slow: dict[ConnectionId, None] = {}
        self._waiting: dict[TenantId, dict[ConnectionId, None]] = {}
        self._running: dict[ConnectionId, TenantId] = {}
        self._changed = asyncio.Event()

    def ask(self, tenant: TenantId, connection: ConnectionId) -> None:
        """Several questions before it are one."""
        self._waiting.setdefault(tenant, {})[connection] = None
        self._changed.set()

    async def take(self) -> tuple[TenantId, ConnectionId]:
        """Wait for the next push; whoever takes it gives it back."""
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

    def overstay(self, connection: ConnectionId) -> bool:
        """This running push is slow; False where the slow ones have no room: it has to end."""
        self._slow.pop(connection, None)
        self._slow[connection] = None
        if len(self._slow) > _REMEMBERED:
            del self._slow[next(iter(self._slow))]
        held = self._held_by_slow()
        mine = held[self._running[connection]]
        return held.total() <= self._share and mine <= self._slow_share

    def give_back(self, connection: ConnectionId, *, was_quick: bool = False) -> None:
        """The push has ended; `was_quick` where its CRM has answered, and in time."""
        del self._running[connection]
        if was_quick:
            self._slow.pop(connection, None)
        self._changed.set()

    def _next(self) -> tuple[TenantId, ConnectionId] | None:
        """Of the tenants with the fewest running pushes the one that has waited longest."""
        held, slow = Counter(self._running.values()), self._held_by_slow()
        fewest, found = self._share, None
        for tenant, waiting in self._waiting.items():
            if held[tenant] >= fewest:
                continue
            has_lane = slow.total() < self._share and slow[tenant] < self._slow_share
            connection = next((one for one in waiting if self._may_run(one, has_lane)), None)
            if connection is not None:
                fewest, found = held[tenant], (tenant, connection)
            if fewest == 0:
                break
        return found

    def _may_run(self, connection: ConnectionId, has_lane: bool) -> bool:
        return connection not in self._running and (has_lane or connection not in self._slow)

    def _held_by_slow(self) -> Counter[TenantId]:
        return Counter(of for one, of in self._running.items() if one in self._slow)
