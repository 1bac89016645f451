"""What the gateway does on notices: a notice is only a reason to look at the directory now."""

from collections.abc import Callable
from typing import Any

from contracts.events import TenantResumed, TenantSuspended
from kit.consuming import Handlers
from kit.db import WriteSession


def handlers(look_now: Callable[[], None]) -> Handlers:
    """The table of notices; `look_now` wakes the sweep of the directory."""

    async def wake(_session: WriteSession, _notice: Any) -> None:
        look_now()

    return {
        TenantSuspended: wake,
        TenantResumed: wake,
    }
