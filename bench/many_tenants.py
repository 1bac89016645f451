"""What many tenants cost at once: fulls that all fall due together, and a start over databases that
need nothing; each with its limit.

Run it with `python -m bench.many_tenants`. PostgreSQL, the vault and the tools are real; the
services run in this process, with the pauses of production.
"""

import asyncio
import logging
import sys
import time
from statistics import median

from sqlalchemy import text

from bench.ground import Ground, prepared
from contracts.ids import TenantId
from kit import base64url
from kit.http import parts_of
from kit.messaging.memory import MemoryBroker
from kit.sealing import new_key
from services.backup.parts import BackupParts
from services.backup.runs.daily import queue_due
from services.tenants.app import create_app, hands_of
from services.tenants.parts import TenantsParts
from services.tenants.settings import TenantsSettings
from tenantdb import names, template
from tenantdb.cluster import Cluster
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup, running_backup
from tests.services.backup.tenants_peer import TenantsPeer

FULLS, FULLS_LIMIT = 50, 1.0
STARTS, STARTS_LIMIT = 60, 2.5
WALK_LIMIT = 1.0
_ALONE, _STARTS_EACH, _TICK_S = 6, 5, 2.0
_NEVER = 86_400.0


async def main() -> bool:
    """Print a line a claim; True where each keeps its limit."""
    logging.disable(logging.WARNING)  # there is no auth to fetch a key set from
    print(f"\n{'many tenants':44}{'one':>9}{'many':>9}{'ratio':>8}{'limit':>8}")
    async with prepared("tenants", "backup") as ground:
        await template.build(Cluster(ground.url("tenants")))
        return all([await _fulls(ground), *await _starts(ground)])


def _line(title: str, one: float, many: float, limit: float) -> bool:
    ratio = many / one
    print(f"{title:44}{one:8.2f}s{many:8.2f}s{ratio:7.2f}x{limit:7.2f}x", flush=True)
    return ratio <= limit


async def _fulls(ground: Ground) -> bool:
    """So many fulls take no longer than one after the other: a free place is never left empty."""
    peer = TenantsPeer(Cluster(ground.url("tenants")), ground.server.superuser_url)
    clocks = dict.fromkeys(("schedule_s", "sweep_s", "stocktaking_s"), _NEVER)
    url = ground.url("backup")
    async with running_backup(url, peer, ground.folder, tick_s=_TICK_S, **clocks) as backup:
        alone = [await peer.add() for _ in range(_ALONE)]
        many = [await peer.add() for _ in range(FULLS)]
        seconds = [await _one_full(backup, tenant) for tenant in alone[::2]]
        together = await _all_due(backup, many)
        seconds += [await _one_full(backup, tenant) for tenant in alone[1::2]]
    await peer.clear()
    title = f"{FULLS} fulls due at once, wall / {FULLS} x one"
    return _line(title, FULLS * median(seconds), together, FULLS_LIMIT)


async def _one_full(backup: Backup, tenant: TenantId) -> float:
    """From the request to the end of the tenant's turn, with retention."""
    begun = time.monotonic()
    await backup.backed_up(tenant)
    await eventually(lambda: _is_none(backup, "SELECT count(*) FROM turn"))
    return time.monotonic() - begun


async def _all_due(backup: Backup, tenants: list[TenantId]) -> float:
    parts = parts_of(backup.app, BackupParts)
    async with backup.db.write() as session:
        for tenant in tenants:
            await parts.known.add(session, tenant)
    begun = time.monotonic()
    await queue_due(backup.db)
    parts.runs.wake()
    open_ones = "SELECT count(*) FROM snapshot WHERE state IN ('queued', 'running')"
    await eventually(lambda: _is_none(backup, open_ones), 600)
    seconds = time.monotonic() - begun
    verified = f"SELECT count(*) - {FULLS + _ALONE // 2} FROM snapshot WHERE state = 'verified'"
    assert await _is_none(backup, verified)
    return seconds


async def _is_none(backup: Backup, query: str) -> bool:
    async with backup.db.read() as session:
        return bool(await session.scalar(text(query)) == 0)


async def _starts(ground: Ground) -> list[bool]:
    """A start asks the directory, and opens no database that needs nothing."""
    settings = _settings(ground)
    await _provide(settings, STARTS)
    half = await _start_cpu_s(ground, settings)
    await _provide(settings, STARTS)
    whole, walk = await _start_cpu_s(ground, settings), await _walk_cpu_s(ground, settings)
    return [
        _line(f"start, CPU: {2 * STARTS} tenants / {STARTS}", half, whole, STARTS_LIMIT),
        _line(f"start, CPU / opening {2 * STARTS} databases", walk, whole, WALK_LIMIT),
    ]


async def _start_cpu_s(ground: Ground, settings: TenantsSettings) -> float:
    """The best of some: start, do once what the timers do at the start, and end."""
    found = []
    for _ in range(_STARTS_EACH):
        before = ground.cpu_s()
        app = create_app(settings, broker=MemoryBroker())
        async with app.router.lifespan_context(app):
            parts = parts_of(app, TenantsParts)
            await parts.upgrades.run()
            await parts.space.measure()
        found.append(ground.cpu_s() - before)
    return min(found)


async def _walk_cpu_s(ground: Ground, settings: TenantsSettings) -> float:
    """The least that a look at each database would cost: a connection that asks nothing."""
    hands = hands_of(settings)
    rows = await hands.provisioning.existing()
    before = ground.cpu_s()
    for row in rows:
        async with hands.cluster.inside(row.database):
            pass
    seconds = ground.cpu_s() - before
    await hands.db.close()
    return seconds


async def _provide(settings: TenantsSettings, count: int) -> None:
    hands = hands_of(settings)
    for _ in range(count):
        await hands.provisioning.create(names.database_name())
    await hands.databases.close()
    await hands.db.close()


def _settings(ground: Ground) -> TenantsSettings:
    texts = {"url": ground.url("tenants"), "kek": base64url.encode(new_key()), "ids": "{}"}
    for name, words in texts.items():
        (ground.folder / f"tenants-{name}").write_text(words)
    url, key = ground.folder / "tenants-url", ground.folder / "tenants-kek"
    return TenantsSettings(
        port=1,
        database_url_file=url,
        amqp_url_file=url,
        identity_key_file=key,
        identities_file=ground.folder / "tenants-ids",
        kek_file=key,
        auth_url="http://127.0.0.1:1",
        tenants_url="http://127.0.0.1:1",
    )


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)
