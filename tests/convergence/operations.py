"""Random operations on our side, from a seed: the same seed gives the same story."""

import random
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any
from uuid import UUID

from contracts.ids import new_id
from tests.services.sync.running_sync import Sync

FIELDS = ("name", "sector", "headquarters")
_KEYS = 40  # few, so that keys meet again
_WEIGHTS = {
    "create": 6,
    "change": 6,
    "clear": 3,
    "call_otherwise": 2,
    "delete": 3,
    "make_again": 2,
    "choose": 1,
    "pause": 1,
    "resume": 2,
    "keep": 1,
    "restore": 1,
}


class Story:
    """`play` does one thing; `told` is what was done, for whoever has to find out why."""

    def __init__(self, sync: Sync, connection: str, seed: int) -> None:
        self._sync, self._peer, self._connection = sync, sync.peer, connection
        self._chance, self._chain = random.Random(seed), 0
        self._gone: list[str] = []
        self._kept: dict[UUID, dict[str, Any]] = {}
        self.told: list[str] = []

    async def play(self) -> None:
        name = self._chance.choices([*_WEIGHTS], [*_WEIGHTS.values()])[0]
        deed: Callable[[], Awaitable[object]] = getattr(self, f"_{name}")
        self.told.append(f"{name} {await deed() or ''}")

    async def end(self) -> None:
        """Let everything go out that was held."""
        await self._resume()

    def _some(self) -> UUID | None:
        return self._chance.choice(sorted(self._peer.records)) if self._peer.records else None

    def _free_key(self) -> str | None:
        """One that no record has; two records of ours never have one key."""
        taken = {record["key"] for record in self._peer.records.values()}
        free = [key for key in _names() if key not in taken]
        return self._chance.choice(free) if free else None

    def _values(self) -> dict[str, str]:
        chosen = self._chance.sample(FIELDS, self._chance.randint(0, len(FIELDS)))
        return {field: f"{field} {self._chance.randrange(1000)}" for field in chosen}

    async def _create(self) -> str | None:
        if (key := self._free_key()) is not None:
            self._peer.put(key, id_=new_id(), cik="SECRET", **self._values())
        return key

    async def _change(self) -> str | None:
        return self._write(self._values())

    async def _clear(self) -> str | None:
        return self._write({self._chance.choice(FIELDS): None})

    def _write(self, values: dict[str, Any]) -> str | None:
        if (record := self._some()) is None:
            return None
        key = self._peer.records[record]["key"]
        self._peer.put(key, id_=record, **values)
        return f"{key} {values}"

    async def _call_otherwise(self) -> str | None:
        record, key = self._some(), self._free_key()
        if record is None or key is None:
            return None
        before = self._peer.records[record]["key"]
        self._peer.put(key, id_=record)
        return f"{before} -> {key}"

    async def _delete(self) -> str | None:
        if (record := self._some()) is None:
            return None
        key = str(self._peer.records[record]["key"])
        self._peer.delete(record)
        self._gone.append(key)
        return key

    async def _make_again(self) -> str | None:
        """Another record with the key of one that was deleted."""
        taken = {record["key"] for record in self._peer.records.values()}
        if not (gone := [key for key in self._gone if key not in taken]):
            return None
        key = self._chance.choice(gone)
        self._peer.put(key, id_=new_id(), cik="SECRET", **self._values())
        return key

    async def _choose(self) -> str:
        fields = self._chance.sample(FIELDS, self._chance.randint(1, len(FIELDS)))
        self._peer.choice = {"organisation": fields}
        return str(fields)

    async def _pause(self) -> None:
        await self._ask("pause")

    async def _resume(self) -> None:
        await self._ask("resume")

    async def _ask(self, what: str) -> None:
        await self._sync.http.post(f"{self._sync.path}/{self._connection}/{what}")

    async def _keep(self) -> None:
        """A backup; the next restore goes back to it."""
        self._kept = deepcopy(self._peer.records)

    async def _restore(self) -> str:
        self._chain += 1
        self._peer.records = deepcopy(self._kept)
        self._peer.journal, self._peer.chain = [], f"restored{self._chain}"
        return str(len(self._kept))


def _names() -> list[str]:
    """Keys of which some are one to the CRM: it knows no letter case."""
    return [f"{head}-{number}" for number in range(_KEYS) for head in ("kq", "KQ")]
