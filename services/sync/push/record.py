"""What a customer sees of a push while it runs and after it: written by the push that it tells of.

Nothing is written of a push that finds nothing due, unless it was asked for or fails: a sweep looks
at every connection, all the time.
"""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from time import monotonic
from typing import Protocol, get_args
from uuid import UUID

from contracts.ids import ConnectionId, new_id
from kit import logs
from kit.db import Database, WriteSession
from kit.problems import Problem
from services.sync.connection import RunWhy
from services.sync.push.fence import Stopped
from services.sync.push.lock import Overtaken
from services.sync.store import runs

_log = logs.get(__name__)
_EVERY_S = 1.0
_WEIGHT: tuple[RunWhy, ...] = get_args(RunWhy)
_COUNTED_AS = {"ok": "sent", "removed": "sent", "parked": "parked", "retry": "retried"}


class CutShort(Stopped):
    """The push took too long; it goes on in another run."""


class Settled(Protocol):
    """A row of which something has been written down."""

    @property
    def state(self) -> str: ...


class RunRecord:
    """One run; `begin`, `note` and `take_over` take part in the push's own transactions."""

    def __init__(self, db: Database, connection: ConnectionId, why: RunWhy) -> None:
        self._db, self._connection, self.why = db, connection, why
        self._id: UUID | None = None
        self._has_begun, self._told_at, self._count_at = False, 0.0, 0.0
        self._modules: Sequence[str] = ()
        self._counts = Counter[str]()

    @property
    def sent(self) -> int:
        """How many rows the CRM has taken, or taken away."""
        return self._counts["sent"]

    @property
    def answered(self) -> int:
        """For how many rows the CRM has answered, whatever it was."""
        return self.sent + self._counts["parked"] + self._counts["retried"]

    async def take_over(self, session: WriteSession) -> None:
        """What another process has left is ended; the run that was asked for is this one."""
        self._id = await runs.take_over(session, self._connection)

    async def begin(self, session: WriteSession, modules: Sequence[str]) -> None:
        """Something is due."""
        if self._has_begun:
            return
        self._has_begun, self._told_at, self._modules = True, monotonic(), modules
        self._id = self._id or new_id()
        await runs.begin(session, self._id, self._connection, self.why, modules)

    async def note(self, session: WriteSession, rows: Iterable[Settled], *, called: bool) -> None:
        """What has become of these rows; `called` where the CRM was asked about them."""
        for row in rows:
            counted = _COUNTED_AS.get(row.state, "unchanged")
            is_quiet = counted == "sent" and not called
            if row.state != "pending":  # it is sent once more, whole
                self._counts["unchanged" if is_quiet else counted] += 1
        if self._id is not None and monotonic() - self._told_at >= _EVERY_S:
            self._told_at = monotonic()
            await runs.advance(session, self._id, self._counts, await self._due(session))

    async def _due(self, session: WriteSession) -> int:
        """All that was found due so far: reading goes on meanwhile. 0 while a count is too dear:
        counting takes a twentieth of the time at most, however many rows there are."""
        begun = monotonic()
        if begun < self._count_at:
            return 0
        due = await runs.count_due(session, self._connection, self._modules, self._id)
        self._count_at = begun + 20 * (monotonic() - begun)
        return due

    async def end(self, state: str, reason: str = "") -> None:
        """Write down how it ended; that this fails is no failure of the push."""
        try:
            if self._id is not None:
                async with self._db.write() as session:
                    await runs.end(session, self._id, state, reason, self._counts)
            elif state in ("failed", "cut"):
                async with self._db.write() as session:
                    await runs.fail(session, self._connection, self.why, state, reason)
        except Exception:
            _log.exception("no end of a run", connection=str(self._connection))


@contextlib.asynccontextmanager
async def recorded(record: RunRecord) -> AsyncIterator[None]:
    """The run ends as the block does; one that is cancelled is ended by whoever comes next."""
    try:
        yield
    except CutShort as cut:
        await record.end("cut", str(cut))
        raise
    except Stopped as stopped:
        await record.end("stopped", str(stopped))
        raise
    except Overtaken:
        await record.end("overtaken", "another push of the connection has begun")
        raise
    except Problem as problem:
        await record.end("failed", f"{problem.title} ({problem.slug})")
        raise
    except Exception:
        await record.end("failed", "a fault of ours, or a part of the platform is down")
        raise
    await record.end("done")


class Whys:
    """Why each connection is to be pushed: of several reasons the one that a person gave."""

    def __init__(self) -> None:
        self._known: dict[ConnectionId, RunWhy] = {}

    def note(self, connection: ConnectionId, why: RunWhy) -> None:
        known = self._known.get(connection, "sweep")
        self._known[connection] = max(known, why, key=_WEIGHT.index)

    def take(self, connection: ConnectionId) -> RunWhy:
        return self._known.pop(connection, "sweep")

    def clear(self) -> None:
        self._known.clear()
