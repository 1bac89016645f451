"""Real tenant databases, made by the provisioner as in production."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts.ids import TenantId
from tenantdb import Address, TenantDatabases, names, provision, template
from tenantdb.cluster import Cluster

Addresses = Callable[[], Awaitable[Address]]


@pytest.fixture(scope="session")
async def hands(cluster: Any) -> Cluster:
    """The provisioner's hands on the cluster, with the template built."""
    made = Cluster(cluster.url("tenants"))
    await template.build(made)
    return made


async def make_tenant(hands: Cluster) -> Address:
    name, secret, tenant = names.database_name(), names.password(), TenantId(uuid4())
    await provision.create(hands, name, tenant, names.verifier(secret))
    return Address(tenant, hands.host, hands.port, name, secret)


@pytest.fixture(scope="session")
async def neighbours(hands: Cluster) -> tuple[Address, Address]:
    """Two tenants that stand for the whole run; tests leave them as they were."""
    return await make_tenant(hands), await make_tenant(hands)


@pytest.fixture
async def addresses(hands: Cluster) -> AsyncIterator[Addresses]:
    """`await addresses()` makes a tenant's database for this test alone."""
    made: list[str] = []

    async def make() -> Address:
        address = await make_tenant(hands)
        made.append(address.database)
        return address

    yield make
    for name in made:
        await provision.drop(hands, name)


@pytest.fixture
async def address(addresses: Addresses) -> Address:
    return await addresses()


@pytest.fixture
async def ways_in() -> AsyncIterator[Callable[..., TenantDatabases]]:
    """`ways_in(address, ...)` is the way into these tenants."""
    made: list[TenantDatabases] = []

    def make(*addresses: Address, **options: Any) -> TenantDatabases:
        known = {address.tenant: address for address in addresses}

        async def lookup(tenant: TenantId) -> Address:
            return known[tenant]

        made.append(TenantDatabases(lookup, **{"wait_s": 20, **options}))
        return made[-1]

    yield make
    for databases in made:
        await databases.close()


@pytest.fixture
def databases(address: Address, ways_in: Callable[..., TenantDatabases]) -> TenantDatabases:
    """The way into the test's own tenant."""
    return ways_in(address)


@pytest.fixture
async def standing(
    neighbours: tuple[Address, Address], ways_in: Callable[..., TenantDatabases]
) -> tuple[TenantDatabases, TenantId]:
    """The way into a standing tenant, for tests whose changes are refused."""
    return ways_in(neighbours[0]), neighbours[0].tenant


@pytest.fixture
async def login() -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """`await login(address, database=...)` is a plain connection, closed after the test."""
    opened: list[Any] = []

    async def connect(address: Address, *, database: str | None = None, **options: Any) -> Any:
        opened.append(
            await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=options.pop("user", address.database),
                password=options.pop("password", address.password),
                database=database or address.database,
                timeout=10,
                **options,
            )
        )
        return opened[-1]

    yield connect
    for connection in opened:
        connection.terminate()
