"""Reading an upload no faster than one tenant may bring it in.

Bytes cost the cores that all share on their way in, also those of a body that is refused when it is
there: four clients that send without a pause made another tenant wait three times as long.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable

BYTES_PER_S = 32 * 1024 * 1024
"""The largest upload arrives within a second; checking good rows of that size takes longer."""
_WORTH_A_PAUSE_S = 0.002


async def read_paced(
    pieces: AsyncIterable[bytes],
    *,
    now: Callable[[], float] | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> list[bytes]:
    """The pieces as they came (joining them would hold up the event loop), each waited for where
    more than BYTES_PER_S came before it. `now` and `sleep` are in seconds."""
    now = now or asyncio.get_running_loop().time
    begun, size, read = now(), 0, list[bytes]()
    async for piece in pieces:
        read.append(piece)
        size += len(piece)
        ahead_s = size / BYTES_PER_S - (now() - begun)
        if ahead_s > _WORTH_A_PAUSE_S:
            await sleep(ahead_s)
    return read
