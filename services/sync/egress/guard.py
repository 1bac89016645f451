"""The guard itself: a call leaves only to a registered name, over the rules of this package.

One pool of connections per tenant; what carries a request there is in exchange.py.
"""

from collections.abc import Sequence
from typing import Self

import httpcore2

from kit import telemetry
from services.sync.egress import tls
from services.sync.egress.asking import ASKING, Asking
from services.sync.egress.backend import GuardedBackend
from services.sync.egress.calls import Call, CallLedger, Reply
from services.sync.egress.exchange import exchange
from services.sync.egress.injected import InjectedName, InjectedResolver, InjectedTrust
from services.sync.egress.limits import CallLimits, ListLimits
from services.sync.egress.list_fetching import ListFetcher
from services.sync.egress.list_shelf import ListShelf
from services.sync.egress.pools import Pools
from services.sync.egress.recorded import recorded
from services.sync.egress.refusals import AddressRefused
from services.sync.egress.resolving import FewLookups, Resolver, SystemResolver
from services.sync.egress.revoked import Judge
from services.sync.egress.urls import Destination, target
from services.sync.revocation import Finding

_METHODS = frozenset({"GET", "POST", "PATCH"})  # a DELETE travels inside of a $batch


class Egress:
    """The way out. Production builds it without arguments; no setting reaches them.

    Revocation lists have a resolver of their own: a name that is injected for a CRM is none for
    them. `unlisted` are injected names whose authority publishes no lists.
    """

    def __init__(
        self,
        *,
        resolver: Resolver | None = None,
        trust: tls.TrustAnchors | None = None,
        dialler: httpcore2.AsyncNetworkBackend | None = None,
        limits: CallLimits | None = None,
        list_resolver: Resolver | None = None,
        list_limits: ListLimits | None = None,
        unlisted: frozenset[str] = frozenset(),
    ) -> None:
        self._limits, bounds = limits or CallLimits(), list_limits or ListLimits()
        self._resolver, self._trust = resolver or SystemResolver(), trust or tls.SystemTrust()
        self._dialler = dialler or httpcore2.AnyIOBackend()
        self._pools = Pools(self._pool, self._limits.idle_pools)
        finder = list_resolver or SystemResolver()
        fetcher = ListFetcher(finder, tls.SystemTrust(), self._dialler, bounds)
        self._shelf = ListShelf(fetcher, bounds)
        self._judge = Judge(self._shelf, unlisted, bounds)

    @classmethod
    def injecting(
        cls,
        name: InjectedName,
        *,
        lists: InjectedName | None = None,
        limits: CallLimits | None = None,
        list_limits: ListLimits | None = None,
    ) -> Self:
        """A guard in which one name leads elsewhere; for tests and the local launcher.

        `lists` is where the authority of that name publishes its lists, if it does.
        """
        return cls(
            resolver=InjectedResolver(name, SystemResolver()),
            trust=InjectedTrust(name, tls.SystemTrust()),
            limits=limits,
            list_resolver=InjectedResolver(lists, SystemResolver()) if lists else None,
            list_limits=list_limits,
            unlisted=frozenset() if lists else frozenset({name.host}),
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
            reply = await recorded(call, goal.host, ledger, self._leave(call, goal, ledger))
            span.note(status=reply.status, bytes=len(reply.body))
            return reply

    def findings(self, host: str) -> Sequence[Finding] | None:
        """What is known of the revocation of the host's certificate; None where it was not asked
        for lately."""
        return self._judge.findings(host)

    async def close(self) -> None:
        """Close every pool, and end what reads lists."""
        await self._pools.close()
        await self._shelf.close()

    async def _leave(self, call: Call, goal: Destination, ledger: CallLedger) -> Reply:
        ASKING.set(Asking(call, ledger))
        opened = self._pools.of(call.tenant, call.unlisted)
        return await exchange(call, goal, opened, self._limits)

    def _pool(self) -> httpcore2.AsyncConnectionPool:
        lookups = FewLookups(self._resolver, self._limits.lookups)
        return httpcore2.AsyncConnectionPool(
            ssl_context=tls.strict_context(),
            max_connections=self._limits.connections,
            keepalive_expiry=self._limits.idle_s,
            network_backend=GuardedBackend(
                lookups,
                self._trust,
                self._dialler,
                judge=self._judge,
                proof_s=self._limits.proof_s,
            ),
        )
