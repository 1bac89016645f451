"""What a CRM says of a module's table where its answers alone leave open what is at fault."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from services.sync.connection import ModuleMapping
from services.sync.crm import Crm, Meaning, Verdict


@dataclass
class Examination:
    """The table is described anew, once in each push, however many rows are in doubt."""

    crm: Crm
    mapping: ModuleMapping
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _is_done: bool = field(default=False, init=False)
    _fault: Verdict | None = field(default=None, init=False)

    async def fault(self) -> Verdict | None:
        """Why no row can be accepted; None where the CRM answers, and nothing is wrong."""
        async with self._asking:
            if not self._is_done:
                self._fault, self._is_done = await self.crm.examine(self.mapping), True
        return self._fault

    async def decided(
        self, verdicts: Sequence[Verdict]
    ) -> tuple[Sequence[Verdict], Verdict | None]:
        """With what doubted rows were refused for, and the fault that they were refused for."""
        if not any(verdict.meaning is Meaning.DOUBTED for verdict in verdicts):
            return verdicts, None
        fault = await self.fault()
        stands = Meaning.REJECTED if fault is None else Meaning.BROKEN
        found = [
            replace(one, meaning=stands) if one.meaning is Meaning.DOUBTED else one
            for one in verdicts
        ]
        return found, fault
