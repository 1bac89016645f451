"""One name with its own address and anchor, for tests and the local launcher; never a setting.

It changes where exactly one name leads and which authority vouches for it; all other rules of the
guard and all other names stay as they are.
"""

import ssl
from dataclasses import dataclass

from services.sync.egress.resolving import Resolver, Route
from services.sync.egress.tls import TrustAnchors, strict_context


@dataclass(frozen=True)
class InjectedName:
    """`host` leads to `address`:`port`, vouched for by the authorities in `ca_pem` alone."""

    host: str
    address: str
    port: int
    ca_pem: str


class InjectedResolver:
    """Answers for the one name; every other name goes to the real resolver."""

    def __init__(self, name: InjectedName, others: Resolver) -> None:
        self._name, self._others = name, others

    async def resolve(self, host: str) -> Route:
        if host == self._name.host:
            return Route((self._name.address,), self._name.port, approved=True)
        return await self._others.resolve(host)


class InjectedTrust:
    """Trusts the injected authorities for the one name and never for another."""

    def __init__(self, name: InjectedName, others: TrustAnchors) -> None:
        self._name, self._others = name, others
        self._context = strict_context(name.ca_pem)

    def context(self, host: str) -> ssl.SSLContext:
        return self._context if host == self._name.host else self._others.context(host)
