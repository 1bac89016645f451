"""Random operations on both sides from a seed: the same seed gives the same story."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.dataverse.collation import folded
from tests.convergence.our_side import OurSide
from tests.convergence.their_side import TheirSide
from tests.convergence.trouble import Trouble
from tests.convergence.world import World


class Story:
    """`play` does one thing; `heal` ends all that hinders, so that both sides can become equal."""

    def __init__(self, world: World, ours: OurSide, theirs: TheirSide, trouble: Trouble) -> None:
        self._world, self._trouble = world, trouble
        self.counted = Counter[str]()
        self._parts: tuple[Any, ...] = (trouble, theirs, ours)
        self._deeds = [(part, name) for part in self._parts for name in part.DEEDS]
        self._weights = [part.DEEDS[name] for part, name in self._deeds]

    async def play(self) -> None:
        part, name = self._world.chance.choices(self._deeds, self._weights)[0]
        deed: Callable[[], Awaitable[object]] = getattr(part, name)
        self._world.told.append(f"{name} ...")
        self._world.told[-1] = f"{name} {await deed() or ''}"
        self.counted[name] += 1
        await self._trouble.pass_some_time()

    async def heal(self) -> None:
        for part in self._parts:
            await part.heal()
        self._world.told.append("all is well")

    async def end_processes(self) -> None:
        """Also one that has come since: if it hangs in a call it holds its turn for a minute."""
        await self._trouble.kill_9()

    def of_keys(self, keys: set[str], most: int = 40) -> list[str]:
        """The last things that were done to records with these keys, or to everything."""
        words = {folded(key) for key in keys}
        meant = [
            f"{number}: {line}"
            for number, line in enumerate(self._world.told)
            if not words.isdisjoint(map(folded, line.split())) or "restore" in line
        ]
        return meant[-most:]
