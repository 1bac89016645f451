"""Name resolution: one look-up gives every address that may be dialled; nobody asks twice."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from kit.supervisor import spawn

# Of their own: a name server that never answers holds these threads and no others.
_LOOKUPS = ThreadPoolExecutor(32, "look-up")


@dataclass(frozen=True)
class Route:
    """The answer of a look-up; `approved` exempts its addresses from the rule for public ones."""

    addresses: tuple[str, ...]
    port: int = 443
    approved: bool = False


class Resolver(Protocol):
    async def resolve(self, host: str) -> Route:
        """All addresses of `host`; raises OSError where it has none."""


class SystemResolver:
    """The machine's resolver, asked for the absolute name: search domains never apply."""

    async def resolve(self, host: str) -> Route:
        look_up = partial(
            socket.getaddrinfo, f"{host}.", 443, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        found = await asyncio.get_running_loop().run_in_executor(_LOOKUPS, look_up)
        return Route(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))


class FewLookups:
    """A resolver for one tenant, which waits for `most` look-ups at once and no more.

    A look-up that was given up still holds its thread until the name server's time is over, and
    counts until then.
    """

    def __init__(self, resolver: Resolver, most: int) -> None:
        self._resolver, self._room = resolver, asyncio.Semaphore(most)

    async def resolve(self, host: str) -> Route:
        await self._room.acquire()
        looking = spawn(self._resolver.resolve(host), "look-up")
        looking.add_done_callback(lambda _: self._room.release())
        return await asyncio.shield(looking)
