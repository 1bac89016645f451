"""On whose behalf a connection is opened: its questions stand in that tenant's ledger."""

from contextvars import ContextVar
from dataclasses import dataclass

from services.sync.egress.calls import Call, CallLedger


@dataclass(frozen=True)
class Asking:
    call: Call
    ledger: CallLedger


# Of the call under way: the pool opens connections, but hands on nothing that a call could carry.
ASKING: ContextVar[Asking] = ContextVar("asking")
