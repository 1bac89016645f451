"""One tenant fills a small volume as fast as it can; the other writes on."""

import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from contracts.permissions import PERMISSIONS
from ops.bootstrap import SERVICES, bootstrap
from ops.local.postgres import LocalPostgres
from services.tenants.databases.space import Space
from tenantdb import template
from tenantdb.cluster import Cluster as TenantCluster
from tests.conftest import _FAST, _TEST_HBA, Cluster
from tests.mounts import mounted
from tests.ports import PORTS
from tests.services.tenants.running_tenants import Suite

MIB = 1 << 20
_PROOF = os.environ.get("VOLUME_MIB_TO_FILL")
VOLUME, FLOOR = int(_PROOF or 700) * MIB, 150 * MIB
"""`make proof` fills a larger one, see tests/full_volume.py."""
# without digits: among millions of them some look like card numbers
LETTERS = str.maketrans("0123456789", "ghijklmnop")
SMALL_WAL = "max_wal_size = 64MB\nmin_wal_size = 32MB"


@pytest.fixture(scope="session")
def small_volume(scratch: Path) -> Iterator[Path]:
    """A file system of its own."""
    if _PROOF and os.geteuid() != 0:
        pytest.fail("nothing is proved: only root can mount a file system")
    place = scratch / "small"
    with mounted(place, "-t", "tmpfs", "-o", f"size={VOLUME},mode=0711", "tmpfs"):
        yield place


@pytest.fixture(scope="session")
async def cluster(small_volume: Path) -> AsyncIterator[Cluster]:
    """PostgreSQL on the small volume, in place of the one that all other tests share."""
    extra = f"{_FAST}\n{SMALL_WAL}"
    server = LocalPostgres(small_volume / "pg", PORTS.free(), extra=extra, extra_hba=_TEST_HBA)
    await server.start()
    passwords = {name: secrets.token_urlsafe(32) for name in (*SERVICES, "relay")}
    try:
        await bootstrap(server.superuser_url, passwords)
        yield Cluster(server, passwords)
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def tenant_template(cluster: Cluster) -> None:
    """The template in this PostgreSQL: the shared fixture is made once for the other one."""
    await template.build(TenantCluster(cluster.url("tenants")))


async def upload(suite: Suite, tenant: UUID, number: int) -> httpx2.Response:
    """Twenty thousand rows that no compression makes smaller."""
    lines = (
        json.dumps(
            {
                "key": f"K{number}-{row}",
                "fields": {"name": secrets.token_hex(95).translate(LETTERS)},
            }
        )
        for row in range(20_000)
    )
    token = suite._token(suite._actor("tenant", tenant, PERMISSIONS, PERMISSIONS))
    transport = httpx2.ASGITransport(suite.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tenants") as client:
        return await client.post(
            f"/t/{tenant}/v1/records/organisation/bulk",
            content="\n".join(lines).encode(),
            headers={
                "authorization": f"Bearer {token}",
                "content-type": "application/x-ndjson",
            },
            timeout=60,
        )


async def test_a_tenant_that_fills_the_volume_is_stopped_and_the_other_writes_on(
    suite: Suite, small_volume: Path
) -> None:
    filling, other = await suite.tenant("Filling"), await suite.tenant("Other")
    wall = Space(suite.db, suite.hands, limit=1 << 40, floor=FLOOR, volume=small_volume)
    suite.use(wall)
    statuses = list[int]()
    while not statuses or statuses[-1] == 200:
        assert len(statuses) < VOLUME // MIB, "the volume is never full"
        await wall.measure()
        statuses.append((await upload(suite, filling, len(statuses))).status_code)
    assert statuses[-1] == 507
    assert len(statuses) > 3
    free = os.statvfs(small_volume)
    assert 0 < free.f_bavail * free.f_frsize < FLOOR
    for number in range(50):
        body: dict[str, Any] = {"key": f"B{number}", "fields": {"name": "n"}}
        answer = await suite.user(other, "POST", "/records/organisation", body)
        assert answer.status_code == 201, answer.text
        await wall.measure()
    listed = await suite.user(filling, "GET", "/records/organisation?limit=1")
    record = listed.json()["records"][0]["id"]
    ids = {"ids": [record]}
    deleted = await suite.user(filling, "POST", "/records/organisation/bulk-delete", ids)
    assert deleted.json()["deleted"] == 1
