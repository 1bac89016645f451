"""Who sends a request, as far as it is known before anybody has logged in.

The address is what the edge says in `x-gw-address`: it strips every x-gw header that comes from
outside and sets this one alone, where it knows the address. Services' own ports are internal:
whoever reaches one past the edge could claim any address, but wins no more than a place in a queue.
"""

import ipaddress
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import Headers

Address = IPv4Address | IPv6Address
ADDRESS_HEADER = "x-gw-address"
_LONGEST = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")


@dataclass(frozen=True, slots=True)
class Caller:
    """`address` None where the edge does not know it; `gone` returns once the caller has left."""

    address: Address | None
    gone: Callable[[], Coroutine[Any, Any, None]]


def address_in(headers: Headers) -> Address | None:
    """None where it is absent, malformed or there twice; never a guess."""
    found = headers.getlist(ADDRESS_HEADER)
    if len(found) != 1 or len(found[0]) > _LONGEST or "%" in found[0]:
        return None
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return None
    # one host, one address: an IPv4 caller on a dual-stack socket is the same caller
    return getattr(address, "ipv4_mapped", None) or address


def network_of(address: Address) -> str:
    """What one subscriber has: the address itself for IPv4, the /64 for IPv6."""
    return _cut(address, 32, 64)


def truncated(address: Address | None) -> str | None:
    """The form for logs, which names no person: /24 for IPv4, /48 for IPv6."""
    return None if address is None else _cut(address, 24, 48)


def _cut(address: Address, v4: int, v6: int) -> str:
    length = v4 if address.version == 4 else v6
    return str(ipaddress.ip_network((address, length), strict=False))


async def caller(request: Request) -> Caller:
    async def gone() -> None:
        # the body has been read: what comes next is that the client has left
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return Caller(address_in(request.headers), gone)


Calling = Annotated[Caller, Depends(caller)]
