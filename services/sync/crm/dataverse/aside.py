"""Large answers are read beside the event loop: nobody waits for the words of one CRM."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from services.sync.egress import Reply

_Found = TypeVar("_Found")
_AT_ONCE_BYTES = 16 * 1024  # read in less time than a thread takes to begin
_READERS = ThreadPoolExecutor(2, "reading")  # few: each competes with the event loop


async def aside(read: Callable[[Reply], _Found], reply: Reply) -> _Found:
    """What `read` makes of the reply; raises what it raises."""
    if len(reply.body) <= _AT_ONCE_BYTES:
        return read(reply)
    return await asyncio.get_running_loop().run_in_executor(_READERS, read, reply)
