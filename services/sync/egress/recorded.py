"""Nothing leaves without its line in the ledger: written before, completed after."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from kit.supervisor import spawn
from services.sync.egress.calls import Call, CallLedger, Reply
from services.sync.egress.refusals import EgressError


async def recorded(
    call: Call, host: str, ledger: CallLedger, leaving: Coroutine[Any, Any, Reply]
) -> Reply:
    """What `leaving` comes back with; it does not begin where the line cannot be written."""
    try:
        line = await ledger.begin(call, host)
    except BaseException:
        leaving.close()
        raise
    started, status, size, error = time.monotonic(), None, 0, "failed"
    has_left = True
    try:
        reply = await leaving
        status, size, error = reply.status, len(reply.body), ""
        return reply
    except EgressError as failure:
        error, has_left = failure.reason, failure.has_left
        raise
    except asyncio.CancelledError:
        error = "cancelled"
        raise
    finally:
        duration = int((time.monotonic() - started) * 1000)
        ending = ledger.end(
            line,
            status=status,
            response_bytes=size,
            duration_ms=duration,
            error=error,
            has_left=has_left,
        )
        await asyncio.shield(spawn(ending, "end of a ledger line"))
