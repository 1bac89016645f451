"""What environments have described, for a while: a CRM is not asked again at each push."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.sync.connection import CrmKey, ModuleMapping
from services.sync.crm.dataverse.target import DataverseTarget

_AGE_S = 600.0
_CRMS = 500
_OF_ONE = 50  # as many as a connection has modules


@dataclass(frozen=True)
class _Described:
    target: DataverseTarget
    until: float


class Targets:
    """The targets of this process, by the address that has described them; one that has a fault is
    asked for again each time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._held: dict[CrmKey, list[_Described]] = {}
        self._monotonic = monotonic

    async def of(
        self,
        crm: CrmKey,
        mapping: ModuleMapping,
        describe: Callable[[], Awaitable[DataverseTarget]],
    ) -> DataverseTarget:
        """The target, described by `describe` where none is known; raises what that raises."""
        now = self._monotonic()
        living = [one for one in self._held.get(crm, ()) if now < one.until]
        for one in living:
            if one.target.mapping == mapping:
                return one.target
        found = await describe()
        if not found.faults:
            self._keep(crm, _Described(found, now + _AGE_S))
        return found

    def __len__(self) -> int:
        return len(self._held)

    def forget(self, crm: CrmKey) -> None:
        self._held.pop(crm, None)

    def _keep(self, crm: CrmKey, fresh: _Described) -> None:
        held = self._held.pop(crm, [])
        now = self._monotonic()
        others = [
            one for one in held if now < one.until and one.target.mapping != fresh.target.mapping
        ]
        self._held[crm] = [*others, fresh][-_OF_ONE:]
        if len(self._held) > _CRMS:
            del self._held[next(iter(self._held))]
