"""The network under the guard: resolves once, refuses any bad answer, dials the number it saw."""

import math
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import httpcore2

from services.sync.egress import addresses
from services.sync.egress.chains import verified_chain
from services.sync.egress.metering import MeteredStream
from services.sync.egress.refusals import AddressRefused, CallFailed
from services.sync.egress.resolving import Resolver, Route
from services.sync.egress.tls import TrustAnchors
from services.sync.egress.urls import host_name


class Judging(Protocol):
    async def judge(self, host: str, chain: Sequence[bytes]) -> None:
        """Raises where a certificate of the chain may not be relied on any more."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by name only; the answer that was checked is the address that is dialled.

    Without `judge` (for revocation lists alone) nobody asks whether a certificate was revoked.
    """

    def __init__(
        self,
        resolver: Resolver,
        trust: TrustAnchors,
        dialler: httpcore2.AsyncNetworkBackend,
        *,
        judge: Judging | None,
        proof_s: float = math.inf,
    ) -> None:
        self._resolver, self._trust, self._dialler = resolver, trust, dialler
        self._judge, self._proof_s = judge, proof_s

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        if port != 443 or host_name(host) != host:
            raise AddressRefused("only port 443 of a public name is allowed")
        route = await self._route(host)
        stream = await self._dial(route, timeout)
        context = self._trust.context(host)
        return GuardedStream(stream, host, context, judge=self._judge, proof_s=self._proof_s)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise AddressRefused("a local socket is not a CRM")

    async def sleep(self, seconds: float) -> None:
        await self._dialler.sleep(seconds)

    async def _route(self, host: str) -> Route:
        try:
            route = await self._resolver.resolve(host)
        except OSError:
            raise CallFailed("the host name does not resolve", sent=False) from None
        if not route.addresses:
            raise CallFailed("the host name does not resolve", sent=False)
        if route.approved:
            return route
        for address in route.addresses:
            if kind := addresses.forbidden(address):
                raise AddressRefused(f"the host name leads to an address that is {kind}")
        return route

    async def _dial(self, route: Route, timeout: float | None) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError("no address")
        for address in route.addresses:
            try:
                return await self._dialler.connect_tcp(address, route.port, timeout)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class GuardedStream(httpcore2.AsyncNetworkStream):
    """A connection that carries nothing until TLS has proved the name it was opened for, with a
    certificate that was not revoked."""

    def __init__(
        self,
        plain: httpcore2.AsyncNetworkStream,
        host: str,
        context: ssl.SSLContext,
        *,
        judge: Judging | None,
        proof_s: float = math.inf,
    ) -> None:
        self._plain, self._host, self._context = plain, host, context
        self._judge, self._proof_s = judge, proof_s

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        raise AddressRefused("only https is allowed")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        raise AddressRefused("only https is allowed")

    async def aclose(self) -> None:
        await self._plain.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        # The pool's context and name are ignored on purpose: rules and name come from the guard.
        try:
            proved = await self._plain.start_tls(self._context, self._host, timeout)
            if self._judge is not None:
                await self._judge.judge(self._host, verified_chain(proved))
            return MeteredStream(proved, self._proof_s)
        except BaseException:  # cancelled as well: httpcore would leave the socket open
            await self._plain.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)
