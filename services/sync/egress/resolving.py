"""Name resolution: one look-up gives every address that may be dialled; nobody asks twice."""

import asyncio
import socket
from dataclasses import dataclass
from typing import Protocol


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
        found = await asyncio.get_running_loop().getaddrinfo(
            f"{host}.", 443, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        return Route(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
