"""One GET for one revocation list: no credentials, no record data, no redirect, small bounds.

Its address comes out of a certificate, so a stranger names it: both layers of the guard hold. That
it may be plain http is the rule of public authorities, and the list carries its own signature.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import httpcore2

from services.sync.egress import tls
from services.sync.egress.asking import Asking
from services.sync.egress.backend import GuardedBackend
from services.sync.egress.calls import Call, Reply
from services.sync.egress.exchange import exchange
from services.sync.egress.limits import ListLimits
from services.sync.egress.metering import MeteredStream
from services.sync.egress.pools import Pool
from services.sync.egress.recorded import recorded
from services.sync.egress.refusals import AddressRefused, CallFailed
from services.sync.egress.resolving import FewLookups, Resolver
from services.sync.egress.urls import Destination, host_name, list_target

OPERATION = "revocation-list"


class ListBackend(GuardedBackend):
    """The guard's network, and port 80 without TLS besides."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        if port != 80:
            return await super().connect_tcp(host, port, timeout)
        if host_name(host) != host:
            raise AddressRefused("only a public name is allowed")
        route = await self._route(host)
        plain = route if route.approved else replace(route, port=port)
        return MeteredStream(await self._dial(plain, timeout))


class ListFetcher:
    """Fetches few lists at once, whoever asks."""

    def __init__(
        self,
        resolver: Resolver,
        trust: tls.TrustAnchors,
        dialler: httpcore2.AsyncNetworkBackend,
        limits: ListLimits,
    ) -> None:
        self._limits, self._room = limits, asyncio.Semaphore(limits.fetches)
        lookups = FewLookups(resolver, limits.fetches)
        # A list's own server is not looked up again (RFC 5280, section 8): its words are signed.
        self._network = ListBackend(lookups, trust, dialler, judge=None)

    async def fetch(self, url: str, asking: Asking) -> bytes:
        """The bytes that lie there; raises EgressError."""
        goal = list_target(url)
        call = Call(
            tenant=asking.call.tenant,
            connection=asking.call.connection,
            names=frozenset({goal.host}),
            method="GET",
            url=url,
            operation=OPERATION,
        )
        async with self._room:
            reply = await recorded(call, goal.host, asking.ledger, self._get(call, goal))
        if reply.status != 200:
            raise CallFailed(f"the host answered with status {reply.status}", sent=True)
        return reply.body

    async def _get(self, call: Call, goal: Destination) -> Reply:
        return await exchange(call, goal, self._once(), self._limits.call)

    def _once(self) -> AbstractAsyncContextManager[Pool]:
        return Pool(
            ssl_context=tls.strict_context(), max_connections=1, network_backend=self._network
        )
