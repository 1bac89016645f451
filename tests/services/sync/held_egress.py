"""A way out that holds a call of the test's choice until it is let go."""

import asyncio
from typing import Any

from services.sync.egress import Call, CallLedger, Egress, Reply


class HeldEgress(Egress):
    """Holds the first batch before it leaves, and only that one; `held` says that it is here.

    `holds` is the operation of the call that is held.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.holds = "upsert-batch"
        self.held, self.let_go = asyncio.Event(), asyncio.Event()

    async def send(self, call: Call, ledger: CallLedger) -> Reply:
        if call.operation == self.holds and not self.held.is_set():
            self.held.set()
            await self.let_go.wait()
        return await super().send(call, ledger)
