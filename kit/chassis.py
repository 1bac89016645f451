"""One way to put a service together, start it, watch it and end it, for every program.

A service says what it is made of (`Made`). From that comes an app with this order of things:

- first what must hold (`opening`, in its order, then the clocks): until each step has passed once,
  nothing is served, consumed or timed, and /readyz says in words what is wrong. A database that is
  away is waited for;
- then loops and timers, each under supervision, and last the notices of others;
- at the end the same backwards: no more notices, then no more loops, then `closing` (the last one
  first), then the broker, then the database. A failure on the way leaves nothing open.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI

from kit import inbox, logs, schema_info
from kit.causes import NotReady, cause_of
from kit.consuming import Handlers, consume
from kit.db import Database
from kit.http import Check, build_app, put
from kit.messaging import Broker, Subscription
from kit.supervisor import Run, Supervisor, supervising
from kit.timers import Timer

_TRY_AGAIN_S = 1.0
_STEP_TIMEOUT_S = 10.0
_CLOCKS_APART_S = 30.0
_log = logs.get(__name__)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a service is made of.

    `needed` and `wanted` are checks for readiness: without a needed one the service is not ready,
    a wanted one is only shown. A step of `opening` may be repeated, and raises (NotReady with words
    of its own) while the service may not begin.
    `parts` is what its routes work with. `needs_loops`: a loop that has ended makes the service
    unready (where it serves nobody, its loops are all there is). Notices for its `handlers` come
    from `queue` (its name where nothing else is said).
    """

    name: str
    broker: Broker
    db: Database | None = None
    routers: Sequence[APIRouter] = ()
    handlers: Handlers = field(default_factory=dict)
    queue: str = ""
    loops: Mapping[str, Run] = field(default_factory=dict)
    timers: Sequence[Timer] = ()
    needed: Mapping[str, Check] = field(default_factory=dict)
    wanted: Mapping[str, Check] = field(default_factory=dict)
    opening: Sequence[Callable[[], Awaitable[None]]] = ()
    closing: Sequence[Callable[[], Awaitable[None]]] = ()
    body_limits: Mapping[str, int] = field(default_factory=dict)
    parts: object = None
    needs_loops: bool = False


def build(made: Made) -> FastAPI:
    """The app of a service; its lifespan starts and ends all that it is made of."""
    running = _Running(made)
    needed: dict[str, Check] = {"start": running.check_start, **made.needed}
    wanted: dict[str, Check] = {"broker": made.broker.ping, **made.wanted}
    (needed if made.needs_loops else wanted)["loops"] = running.supervisor.check
    if made.db is not None:
        needed |= {"database": made.db.ping, "clock": clocks_agree(made.db)}
    app = build_app(
        title=made.name,
        routers=made.routers,
        checks=needed,
        wanted={name: check for name, check in wanted.items() if name not in needed},
        lifespan=running.lifespan,
        body_limits=made.body_limits,
        why_closed=lambda: running.why_closed,
    )
    put(app, *(one for one in (made, made.db, made.parts) if one is not None))
    return app


def clocks_agree(db: Database) -> Check:
    """A check that this machine's clock and PostgreSQL's are less than half a minute apart.

    Tokens of services live for a minute: with clocks further apart every call would be a 401.
    """

    async def check() -> None:
        ahead_s = await db.clock_ahead_s()
        if abs(ahead_s) > _CLOCKS_APART_S:
            side = "ahead of" if ahead_s > 0 else "behind"
            raise NotReady(f"this machine's clock is {abs(ahead_s):.0f} s {side} PostgreSQL's")

    return check


class _Running:
    """One life of a service, from its start to its end."""

    def __init__(self, made: Made) -> None:
        self._made, self.supervisor = made, Supervisor()
        self.why_closed: str | None = "not begun"
        self._subscription: Subscription | None = None

    async def check_start(self) -> None:
        """Raise NotReady while something that the service needs to begin is not there."""
        if self.why_closed is not None:
            raise NotReady(self.why_closed)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        made = self._made
        async with contextlib.AsyncExitStack() as stack:
            if made.db is not None:
                stack.push_async_callback(made.db.close)
            stack.push_async_callback(made.broker.close)
            for close in made.closing:
                stack.push_async_callback(close)
            await stack.enter_async_context(supervising(self.supervisor))
            stack.push_async_callback(self._stop_consuming)
            await self._begin()
            if self.why_closed is not None:
                again = Timer("start", _TRY_AGAIN_S, self._begin)
                self.supervisor.start("start", again.run)
            yield

    async def _begin(self) -> None:
        """Once: what is under way already is left alone."""
        if self.why_closed is None:
            return
        if (why := await self._missing()) is not None:
            if why != self.why_closed:
                _log.error("not started", reason=why)
            self.why_closed = why
            return
        await self._consume()  # the only step that may fail comes first
        for name, run in self._made.loops.items():
            self.supervisor.start(name, run)
        for timer in self._timers():
            self.supervisor.start(f"timer {timer.name}", timer.run)
        self.why_closed = None

    async def _missing(self) -> str | None:
        """The first thing that is not as it must be, in words."""
        made = self._made
        clock = [] if made.db is None else [clocks_agree(made.db)]
        for step in (*made.opening, *clock):
            try:
                async with asyncio.timeout(_STEP_TIMEOUT_S):
                    await step()
            except Exception as error:
                if not isinstance(error, NotReady):
                    _log.warning("a step of the start failed", exc_info=error)
                return cause_of(error)
        return None

    def _timers(self) -> list[Timer]:
        made = self._made
        if made.db is None:
            return list(made.timers)
        return [*made.timers, inbox.forgetting(made.db), schema_info.showing(made.db, made.name)]

    async def _consume(self) -> None:
        made = self._made
        if made.handlers and made.db is not None:
            self._subscription = await consume(
                made.broker, made.db, made.name, made.handlers, queue=made.queue or made.name
            )

    async def _stop_consuming(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()
