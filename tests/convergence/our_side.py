"""What users of ours do: records of two modules, choices, pauses, a restored tenant."""

from copy import deepcopy
from typing import Any, ClassVar
from uuid import UUID

from contracts.ids import new_id
from tests.convergence.world import LATE, MODULES, PARENTS, SECRET, World

_KEYS = 20  # few of each module, so that keys meet again
_HIDDEN = {"organisation": "cik", "person": "phone"}


class OurSide:
    """`DEEDS` are its methods with how often each comes; each says what it did."""

    DEEDS: ClassVar[dict[str, int]] = {
        "create": 8,
        "change": 8,
        "clear": 3,
        "call_otherwise": 3,
        "delete": 4,
        "make_again": 3,
        "parent_comes": 1,
        "choose": 1,
        "pause": 1,
        "resume": 2,
        "keep": 1,
        "restore": 1,
    }

    def __init__(self, world: World) -> None:
        self._world, self._peer, self._chance = world, world.peer, world.chance
        self._chain, self._gone = 0, list[tuple[str, str]]()
        self._peer.choice = {name: list(fields) for name, fields in MODULES.items()}
        for key in PARENTS:
            self._make("organisation", key, {"name": key})
        self._kept = deepcopy(self._peer.records)

    async def heal(self) -> None:
        await self.resume()

    def _some(self, *, of_parents: bool = False) -> dict[str, Any] | None:
        """What persons refer to keeps its key, and is never deleted."""
        fixed = () if of_parents else PARENTS + LATE
        found = [one for one in self._peer.records.values() if one["key"] not in fixed]
        return self._chance.choice(sorted(found, key=lambda one: one["id"])) if found else None

    def _free_key(self, module: str) -> str | None:
        """One that no record has; two records of ours never have one key."""
        taken = {record["key"] for record in self._peer.records.values()}
        free = [key for key in _names(module) if key not in taken]
        return self._chance.choice(free) if free else None

    def _values(self, module: str) -> dict[str, str]:
        fields = MODULES[module]
        chosen = self._chance.sample(fields, self._chance.randint(0, len(fields)))
        return {field: self._value(field) for field in chosen}

    def _value(self, field: str) -> str:
        if field == "employer":
            return self._chance.choice(PARENTS + LATE)
        return f"{field} {self._chance.randrange(1000)}"

    def _make(self, module: str, key: str, values: dict[str, Any]) -> str:
        hidden = {_HIDDEN[module]: f"{SECRET} {key}"}
        self._peer.put(key, module=module, id_=new_id(), **hidden, **values)
        self._world.note_keys()
        return f"{key} {values}"

    async def create(self) -> str:
        module = self._chance.choice(list(MODULES))
        key = self._free_key(module)
        return self._make(module, key, self._values(module)) if key else ""

    async def parent_comes(self) -> str:
        """Persons may have referred to it for long."""
        present = {one["key"] for one in self._peer.records.values()}
        missing = [key for key in LATE if key not in present]
        return self._make("organisation", missing[0], {"name": missing[0]}) if missing else ""

    async def change(self) -> str:
        record = self._some(of_parents=True)
        return self._write(record, self._values(record["module"])) if record else ""

    async def clear(self) -> str:
        """To nothing, or to an empty text, which is nothing there."""
        if (record := self._some(of_parents=True)) is None:
            return ""
        field = self._chance.choice(MODULES[record["module"]])
        is_text = field != "employer" and self._chance.random() < 0.3
        return self._write(record, {field: "" if is_text else None})

    def _write(self, record: dict[str, Any], values: dict[str, Any], key: str = "") -> str:
        name = key or record["key"]
        self._peer.put(name, module=record["module"], id_=record["id"], **values)
        self._world.note_keys()
        return f"{record['key']} -> {name} {values}" if key else f"{name} {values}"

    async def call_otherwise(self) -> str:
        record = self._some()
        key = self._free_key(record["module"]) if record else None
        return self._write(record, {}, key) if record and key else ""

    async def delete(self) -> str:
        if (record := self._some()) is None:
            return ""
        self._peer.delete(UUID(str(record["id"])))
        self._gone.append((record["module"], record["key"]))
        self._world.note_keys()
        return str(record["key"])

    async def make_again(self) -> str:
        """Another record with the key of one that was deleted."""
        taken = {record["key"] for record in self._peer.records.values()}
        if not (gone := [one for one in self._gone if one[1] not in taken]):
            return ""
        module, key = self._chance.choice(gone)
        return self._make(module, key, self._values(module))

    async def choose(self) -> str:
        module = self._chance.choice(list(MODULES))
        fields = self._chance.sample(MODULES[module], self._chance.randint(1, len(MODULES[module])))
        self._peer.choice = self._peer.choice | {module: fields}
        return f"{module} {fields}"

    async def pause(self) -> None:
        await self._world.ask("POST", "/pause")

    async def resume(self) -> None:
        await self._world.ask("POST", "/resume")

    async def keep(self) -> None:
        """A backup; the next restore goes back to it."""
        self._kept = deepcopy(self._peer.records)

    async def restore(self) -> str:
        """But for parents that have come since: what refers to them would be told of nothing."""
        self._chain += 1
        late = {id_: one for id_, one in self._peer.records.items() if one["key"] in LATE}
        self._peer.records = deepcopy(self._kept) | late
        self._world.note_keys()
        self._peer.journal, self._peer.chain = [], f"restored{self._chain}"
        return str(len(self._kept))


def _names(module: str) -> list[str]:
    """Keys of which some are one to the CRM: it knows no letter case."""
    heads = ("kq", "KQ") if module == "organisation" else ("pq", "pQ")
    return [f"{head}-{number}" for number in range(_KEYS) for head in heads]
