"""A leased connection reads one moment, writes nothing, and says why it cannot go on."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tenantdb import Address, TenantDatabases, names
from tenantdb.cluster import Cluster
from tenantdb.lease_connection import (
    LeaseBlocked,
    LeaseLost,
    LeaseRefused,
    LeaseSession,
    open_lease,
)

ADD = "INSERT INTO record (id, module, data) VALUES (gen_random_uuid(), 'person', '{}')"
COUNT = "SELECT count(*) AS n FROM record"


def opened(address: Address, **other: Any) -> AbstractAsyncContextManager[LeaseSession]:
    """With the runtime role, which may write: what refuses is the connection."""
    options: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "database": address.database,
        "user": address.database,
        "password": address.password,
    }
    return open_lease(**options | other)


async def test_a_leased_connection_writes_nothing(address: Address) -> None:
    with pytest.raises(LeaseRefused, match="ReadOnly"):
        async with opened(address) as lease:
            await lease.fetch(ADD)


async def test_a_leased_connection_sees_one_moment(
    address: Address, databases: TenantDatabases
) -> None:
    async with opened(address) as lease:
        before = await lease.fetchrow(COUNT)
        async with databases.write(address.tenant, actor="user:a") as session:
            await session.execute(ADD)
        assert await lease.fetchrow(COUNT) == before


async def count_in_vain(address: Address) -> None:
    async with opened(address) as lease:
        await lease.fetch("SELECT set_config('lock_timeout', '50ms', true)")
        await lease.fetch(COUNT)


async def test_a_table_that_is_held_is_told_apart(address: Address, hands: Cluster) -> None:
    async with hands.inside(address.database, names.owner_of(address.database)) as owner:
        await owner.execute("LOCK TABLE record")
        with pytest.raises(LeaseBlocked):
            await count_in_vain(address)


async def test_a_lease_that_has_ended_is_refused_and_a_server_that_is_away_is_lost(
    address: Address, free_port: Callable[[], int]
) -> None:
    with pytest.raises(LeaseRefused):
        async with opened(address, password="another"):
            pass
    with pytest.raises(LeaseLost):
        async with opened(address, port=free_port()):
            pass
