"""The real tenants service and every stand-in for it, behind the same few words."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from contracts.clients import TenantEntry, TenantsClient
from contracts.ids import ConnectionId, TenantId, new_id
from kit.sealing import SigningKey
from tenantdb import swap
from tests.gateway.edge_parts import Upstreams
from tests.services.backup.tenants_peer import TenantsPeer
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.tenants.running_tenants import Suite

MAPPED = {
    "organisation": ["symbol", "name", "sector", "headquarters", "founded", "cik"],
    "person": ["first_name", "last_name", "email", "phone"],
}
"""What a connection maps unless a test says something else."""

PLAYED_BY = {
    "list": ["the service", "sync's", "backup's", "auth's", "the gateway's"],
    "states": ["the service", "sync's", "auth's", "the gateway's"],
    "feed": ["the service", "sync's"],
    "databases": ["the service", "backup's"],
}
"""Which stand-in claims to play what; none plays more than it is listed for."""


def played(what: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", PLAYED_BY[what], indirect=True)


_PUT = """INSERT INTO record (id, module, key, data)
    VALUES (uuidv7(), 'organisation', $1, $2::text::jsonb)
    ON CONFLICT (module, key) DO UPDATE SET version = record.version + 1,
        data = jsonb_strip_nulls(record.data || excluded.data)
    RETURNING id"""


class Real:
    """The service itself: everything that the client may ask for."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.known: set[ConnectionId] = set()

    def client(self, service: str) -> TenantsClient:
        transport = httpx2.ASGITransport(self.suite.app, raise_app_exceptions=False)
        key = self.suite.peers[service]
        return TenantsClient("http://tenants", key=key, service=service, transport=transport)

    async def tenants(self) -> Sequence[TenantEntry]:
        return await self.client("gateway").tenants()

    async def tenant(self) -> TenantId:
        return await self.suite.tenant(f"Acme {uuid4()}")

    async def suspend(self, tenant: TenantId) -> None:
        await self.suite.operator("POST", f"/v1/tenants/{tenant}/suspend")

    async def choose(self, tenant: TenantId, connection: ConnectionId, *fields: str) -> None:
        """Of the tenant's user; the connection is known from then on, and maps MAPPED at first."""
        if connection not in self.known:
            await self.client("sync").register(tenant, connection, MAPPED)
            self.known.add(connection)
        path = f"/field-choices/{connection}/organisation"
        answer = await self.suite.user(tenant, "PUT", path, {"fields": [*fields]})
        assert answer.status_code == 200, answer.text

    async def put(self, tenant: TenantId, key: str, **fields: str) -> UUID:
        data = json.dumps({"symbol": key, **fields})
        async with self.suite.parts.databases.write(tenant, actor="user:test") as session:
            return UUID(str(await session.fetchval(_PUT, key, data)))

    async def delete(self, tenant: TenantId, record: UUID) -> None:
        async with self.suite.parts.databases.write(tenant, actor="user:test") as session:
            await session.execute("DELETE FROM record WHERE id = $1", record)

    async def clear(self) -> None:
        """Drop what restores have made; the suite drops the tenants."""
        for row in await self.suite.database.fetch("SELECT * FROM restore_target"):
            await self.suite.hands.drop_database(row["aside"] or row["database"])
            await swap.drop_target(self.suite.hands, row["database"])


class OfSync:
    """The stand-in of sync's tests: the list with states, and the feed."""

    def __init__(self) -> None:
        self.peer = PeerTenants(TenantId(new_id()))

    def client(self, service: str) -> TenantsClient:
        return self.peer.client()

    async def tenants(self) -> Sequence[TenantEntry]:
        return await self.peer.client().tenants()

    async def tenant(self) -> TenantId:
        return self.peer.tenant

    async def suspend(self, tenant: TenantId) -> None:
        self.peer.state = "suspended"

    async def choose(self, tenant: TenantId, connection: ConnectionId, *fields: str) -> None:
        if connection not in self.peer.choices:
            await self.peer.client().register(tenant, connection, MAPPED)
        self.peer.choices[connection] = {"organisation": [*fields]} if fields else {}

    async def put(self, tenant: TenantId, key: str, **fields: Any) -> UUID:
        return self.peer.put(key, symbol=key, **fields)

    async def delete(self, tenant: TenantId, record: UUID) -> None:
        self.peer.delete(record)


class OfBackup:
    """The stand-in of backup's tests: the list, leases, restore targets and the swap."""

    def __init__(self, peer: TenantsPeer) -> None:
        self.peer = peer

    def client(self, service: str) -> TenantsClient:
        return self.peer.client()

    async def tenants(self) -> Sequence[TenantEntry]:
        return await self.peer.client().tenants()

    async def tenant(self) -> TenantId:
        return await self.peer.add(rows=1)


class OfLists:
    """The lists of auth's tests (a function) and of the gateway's (a server that knows little)."""

    def __init__(
        self, states: dict[UUID, Any], ask: Callable[[], Awaitable[Sequence[TenantEntry]]]
    ) -> None:
        self._states, self.tenants = states, ask

    @classmethod
    def of_the_gateway(cls) -> "OfLists":
        upstreams = Upstreams({})
        transport = httpx2.ASGITransport(upstreams.app("tenants"))
        client = TenantsClient(
            "http://tenants", key=SigningKey.generate(), service="gateway", transport=transport
        )
        return cls(upstreams.tenants, client.tenants)

    async def tenant(self) -> TenantId:
        made = TenantId(new_id())
        self._states[made] = "active"
        return made

    async def suspend(self, tenant: TenantId) -> None:
        self._states[tenant] = "suspended"
