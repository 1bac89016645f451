"""What a connection believes of rows that are not its own any more is forgotten part by part, each
in a transaction of its own, before anything is sent again; whoever comes after a crash goes on."""

from collections.abc import Callable

from contracts.ids import ConnectionId, TenantId
from kit.db import Database
from kit.timers import Timer, each
from services.sync.store import to_forget

AT_ONCE = 2000  # rows in a transaction: more would take too long for one statement
_MOST = 1000  # connections in a round


class Unlearning:
    """A part of each connection in its turn: one with many rows holds up no other."""

    def __init__(
        self,
        db: Database,
        every_s: float,
        wake: Callable[[TenantId, ConnectionId], None],
    ) -> None:
        self._db, self._wake = db, wake
        self.timer = Timer("unlearning", every_s, self.forget)

    async def forget(self) -> None:
        """Until nothing is left to forget, or nothing of it can be; whoever waited is `wake`d."""
        while True:
            async with self._db.read() as session:
                waiting = await to_forget.waiting(session, _MOST)
            failed = await each(waiting, self._part, "unlearning")
            if len(failed) == len(waiting):
                return

    async def _part(self, one: tuple[TenantId, ConnectionId]) -> None:
        async with self._db.write() as session:
            is_done = await to_forget.forget_some(session, one[1], AT_ONCE)
        if is_done:
            self._wake(*one)
