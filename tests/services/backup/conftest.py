"""Backup with a vault, keys, a control database and tenants of its own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tenantdb import template
from tenantdb.cluster import Cluster
from tests.services.backup.running_backup import Backup, Workshop, running_backup
from tests.services.backup.tenants_peer import TenantsPeer


@pytest.fixture(scope="session")
async def tenant_cluster(cluster: Any) -> Cluster:
    """The provisioner's hands, with the template of tenant databases built."""
    hands = Cluster(cluster.url("tenants"))
    await template.build(hands)
    return hands


@pytest.fixture
async def peer(tenant_cluster: Cluster, cluster: Any) -> AsyncIterator[TenantsPeer]:
    made = TenantsPeer(tenant_cluster, cluster.superuser_url)
    yield made
    await made.clear()


@pytest.fixture
async def backup(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> AsyncIterator[Backup]:
    async with running_backup(await service_db("backup"), peer, tmp_path) as running:
        yield running


@pytest.fixture
async def workshop(peer: TenantsPeer, tmp_path: Path) -> AsyncIterator[Workshop]:
    made = Workshop(peer, tmp_path)
    yield made
    await made.tenants.aclose()
