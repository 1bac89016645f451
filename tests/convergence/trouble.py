"""What goes wrong between both sides: the CRM's answers, its network, sync's own processes."""

import contextlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from tests.convergence.notices import Notices
from tests.convergence.world import World
from tests.eventually import eventually
from tests.services.sync.sync_process import SyncProcess

_TOKEN = "/oauth2/"
_LIMIT = {"status": 429, "body": "json", "code": "0x80072322", "message": "Too many"}
FAULTS: dict[str, dict[str, Any]] = {
    "429 storm": {"kind": "status", **_LIMIT, "retry_after_s": 1, "times": 5},
    "429 in a part": {"kind": "part", **_LIMIT, "retry_after_s": 1},
    "429 of HTML": {"kind": "status", "status": 429, "retry_after": "soon"},
    "500": {"kind": "status", "status": 500, "body": "json", "code": "0x80040216", "times": 2},
    "500 in parts": {"kind": "part", "status": 500, "body": "json", "code": "0x0", "times": 3},
    "503 in a part": {"kind": "part", "status": 503, "body": "empty"},
    "502": {"kind": "status", "status": 502, "times": 3},
    "504 with a wait": {"kind": "status", "status": 504, "retry_after_s": 1, "body": "text"},
    "HTML with 200": {"kind": "status", "status": 200},
    "HTML with 403": {"kind": "status", "status": 403},
    "HTML with 404": {"kind": "status", "status": 404},
    "foreign JSON": {"kind": "status", "status": 400, "body": "foreign"},
    "401": {"kind": "status", "status": 401, "body": "empty", "times": 2},
    "413": {"kind": "status", "status": 413, "path": "$batch"},
    "reset after the work": {"kind": "lost_reply", "times": 2},
    "half a reply": {"kind": "half_reply", "times": 2},
    "slow": {"kind": "slow", "seconds": 0.2, "times": 3},
    "hang": {"kind": "hang"},
    "drip": {"kind": "drip", "seconds": 0.01},
    "race": {"kind": "race", "table": "accounts"},
    "refused by a rule": {"kind": "refuse_row", "table": "accounts", "times": 2},
    "authority busy": {"kind": "status", "status": 400, "body": "entra", "path": _TOKEN},
    "authority's HTML": {"kind": "status", "status": 200, "path": _TOKEN},
    "authority resets": {"kind": "lost_reply", "path": _TOKEN, "times": 2},
}
_JUMPS = (timedelta(hours=-2), timedelta(minutes=-10), timedelta(minutes=20), timedelta(days=2))


class MovedClock:
    """The present, moved by `by`: what a machine says whose clock has jumped."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


class Trouble:
    """`DEEDS` are its methods with how often each comes; `counted` is what there was of each."""

    DEEDS: ClassVar[dict[str, int]] = {
        "fault": 7,
        "forget_tokens": 1,
        "peer_down": 1,
        "peer_up": 2,
        "broker_down": 1,
        "broker_up": 2,
        "clock_jumps": 1,
        "clock_is_right": 1,
        "another_process": 2,
        "kill_9": 2,
    }

    def __init__(
        self, world: World, clock: MovedClock, process: SyncProcess, notices: Notices
    ) -> None:
        self._world, self._chance = world, world.chance
        self._clock, self._process, self._notices = clock, process, notices
        self.counted = Counter[str]()

    async def heal(self) -> None:
        """But for a real broker that is down: both sides become equal without it."""
        self._world.crm.simulation.organisation.faults.clear()
        self._world.crm.switches.latency_s = 0.0
        await self.peer_up()
        await self.broker_up()
        await self.clock_is_right()
        await self.kill_9()

    async def pass_some_time(self) -> None:
        """Tell sync that there is something, and now and then let it do a call meanwhile."""
        await self._notices.tell(self._world.sync)
        if self._chance.random() < 0.3:
            await self._world.let_time_pass()
        if self._chance.random() < 0.4:
            await self._let_it_call()

    @property
    def calls(self) -> int:
        return sum(one["calls"] for one in self._world.crm.counters().values())

    async def fault(self) -> str:
        name = self._chance.choice(list(FAULTS))
        self._world.crm.add_fault(**FAULTS[name])
        self.counted[name] += 1
        return name

    async def forget_tokens(self) -> None:
        self._world.crm.switches.token_lifetime_s = self._chance.choice((1, 3599))

    async def peer_down(self) -> None:
        self._world.peer.down = True
        self.counted["tenants down"] += 1

    async def peer_up(self) -> None:
        self._world.peer.down = False

    async def broker_down(self) -> None:
        self.counted["broker down"] += await self._notices.lose()

    async def broker_up(self) -> None:
        await self._notices.find()

    async def clock_jumps(self) -> str:
        self._clock.by = self._chance.choice(_JUMPS)
        self.counted["clock jumps"] += 1
        return str(self._clock.by)

    async def clock_is_right(self) -> None:
        self._clock.by = timedelta()

    async def another_process(self) -> None:
        """Of the same installation; it takes part as soon as it is there, until it is killed."""
        if not self._process.is_running:
            self._process.begin()

    async def kill_9(self) -> str:
        """Amid a call, which takes a while now, where it does one just then."""
        if not await self._process.is_live():
            return ""
        self._world.crm.switches.latency_s = 0.03
        await self._let_it_call()
        self._process.kill()
        self._world.crm.switches.latency_s = 0.0
        self.counted["kill -9"] += 1
        return "it was there"

    async def _let_it_call(self) -> None:
        before = self.calls
        with contextlib.suppress(AssertionError):
            await eventually(lambda: self.calls > before, 0.1)
