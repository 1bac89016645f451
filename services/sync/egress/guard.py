"""The guard itself: a call leaves only to a registered name, over the rules of this package.

httpcore's pool is used bare: there is no client around it that could follow a redirect, keep a
cookie, read a proxy from the environment or decode a body. One pool per tenant.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Self

import httpcore2

from kit import telemetry
from kit.supervisor import spawn
from services.sync.egress import tls
from services.sync.egress.backend import GuardedBackend
from services.sync.egress.calls import Call, CallLedger, Reply
from services.sync.egress.injected import InjectedName, InjectedResolver, InjectedTrust
from services.sync.egress.metering import ALLOWANCE, Allowance
from services.sync.egress.pools import Pools
from services.sync.egress.refusals import (
    AddressRefused,
    CallFailed,
    CertificateRefused,
    EgressError,
    ReplyRefused,
)
from services.sync.egress.resolving import FewLookups, Resolver, SystemResolver
from services.sync.egress.urls import Destination, target

_METHODS = frozenset({"GET", "POST", "PATCH"})
_PIECES_MOST = 16 * 1024  # 8 MiB in packets of an ordinary size


@dataclass(frozen=True)
class CallLimits:
    """Bounds of one call in seconds and bytes; `connections` and `lookups` count per tenant."""

    connect_s: float = 10.0
    read_s: float = 60.0
    write_s: float = 60.0
    total_s: float = 180.0
    body_bytes: int = 8 * 1024 * 1024
    connections: int = 8
    lookups: int = 2
    idle_s: float = 30.0
    idle_pools: int = 32


class Egress:
    """The way out. Production builds it without arguments; no setting reaches them."""

    def __init__(
        self,
        *,
        resolver: Resolver | None = None,
        trust: tls.TrustAnchors | None = None,
        dialler: httpcore2.AsyncNetworkBackend | None = None,
        limits: CallLimits | None = None,
    ) -> None:
        self._limits = limits or CallLimits()
        self._resolver, self._trust = resolver or SystemResolver(), trust or tls.SystemTrust()
        self._dialler = dialler or httpcore2.AnyIOBackend()
        self._pools = Pools(self._pool, self._limits.idle_pools)

    @classmethod
    def injecting(cls, name: InjectedName, *, limits: CallLimits | None = None) -> Self:
        """A guard in which one name leads elsewhere; for tests and the local launcher."""
        return cls(
            resolver=InjectedResolver(name, SystemResolver()),
            trust=InjectedTrust(name, tls.SystemTrust()),
            limits=limits,
        )

    async def send(self, call: Call, ledger: CallLedger) -> Reply:
        """Make the call; raises AddressRefused or CallFailed (see refusals)."""
        goal = target(call.url)
        if goal.host not in call.names:
            raise AddressRefused("the host was not registered for this connection")
        if call.method not in _METHODS:
            raise AddressRefused("this method is never sent")
        with telemetry.span(
            "call to a CRM", "client", method=call.method, operation=call.operation, rows=call.rows
        ) as span:
            reply = await self._send(call, goal, ledger)
            span.note(status=reply.status, bytes=len(reply.body))
            return reply

    async def _send(self, call: Call, goal: Destination, ledger: CallLedger) -> Reply:
        line = await ledger.begin(call, goal.host)
        started, status, size, error = time.monotonic(), None, 0, "failed"
        try:
            reply = await self._exchange(call, goal)
            status, size, error = reply.status, len(reply.body), ""
            return reply
        except EgressError as failure:
            error = failure.reason
            raise
        except asyncio.CancelledError:
            error = "cancelled"
            raise
        finally:
            duration = int((time.monotonic() - started) * 1000)
            ending = ledger.end(
                line, status=status, response_bytes=size, duration_ms=duration, error=error
            )
            await asyncio.shield(spawn(ending, "end of a ledger line"))

    async def close(self) -> None:
        """Close every pool."""
        await self._pools.close()

    def _pool(self) -> httpcore2.AsyncConnectionPool:
        lookups = FewLookups(self._resolver, self._limits.lookups)
        return httpcore2.AsyncConnectionPool(
            ssl_context=tls.strict_context(),
            max_connections=self._limits.connections,
            keepalive_expiry=self._limits.idle_s,
            network_backend=GuardedBackend(lookups, self._trust, self._dialler),
        )

    async def _exchange(self, call: Call, goal: Destination) -> Reply:
        try:
            async with asyncio.timeout(self._limits.total_s):
                return await self._stream(call, goal)
        except EgressError:
            raise
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            if reason := tls.refusal(error):
                raise CertificateRefused(reason) from None
            raise CallFailed("the host cannot be reached", sent=False) from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise CallFailed("the host took too long to answer", sent=True) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
            raise CallFailed("the connection broke before the answer ended", sent=True) from None

    async def _stream(self, call: Call, goal: Destination) -> Reply:
        url = httpcore2.URL(scheme=b"https", host=goal.host.encode(), target=goal.path.encode())
        headers = {**call.headers, "Host": goal.host, "Accept-Encoding": "identity"}
        if call.method != "GET":
            headers["Content-Length"] = str(len(call.body))
        limits = self._limits
        timeouts = {
            "connect": limits.connect_s,
            "read": limits.read_s,
            "write": limits.write_s,
            "pool": limits.total_s,
        }
        most = min(limits.body_bytes, call.reply_bytes or limits.body_bytes)
        allowance = Allowance(most)
        ALLOWANCE.set(allowance)
        async with (
            self._pools.of(call.tenant) as pool,
            pool.stream(
                call.method,
                url,
                headers=list(headers.items()),
                content=call.body or None,
                extensions={"timeout": timeouts},
            ) as response,
        ):
            allowance.allow_body()
            return await _read(response, most)


async def _read(response: httpcore2.Response, most: int) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    headers.pop("set-cookie", None)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ReplyRefused("the answer is compressed although that was not asked for")
    body, pieces = bytearray(), 0
    async for chunk in response.aiter_stream():
        body += chunk
        pieces += 1
        if len(body) > most:
            raise ReplyRefused("the answer is larger than allowed")
        if pieces > _PIECES_MOST:
            raise ReplyRefused("the answer comes in too many pieces")
    return Reply(response.status, headers, bytes(body))
