"""The push into a simulator process, as it is in service: journal, intents, ledger and all.

The tenants' side is the tests' stand-in in this process, so its share is in the client's CPU; that
of PostgreSQL stands for itself.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid5

from sqlalchemy import text

from bench.crm_process import NAME, CrmProcess
from bench.ground import Ground, prepared
from bench.measured import Measured
from contracts.events import JournalAdvanced
from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.egress import Egress, InjectedName
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync

_FIELDS = {
    "name": "name",
    "sector": "bulkhead_sector",
    "subindustry": "bulkhead_subindustry",
    "headquarters": "bulkhead_headquarters",
    "dateadded": "bulkhead_dateadded",
    "cik": "bulkhead_cik",
    "founded": "bulkhead_founded",
}
_SINGLE_CHANGES = 100
_ROWS_AT_ONCE = 4  # calls, as the CRM recommends them


@dataclass(frozen=True)
class OutsideCrm:
    """The simulator process as the tests' sync wants to see it."""

    crm: CrmProcess
    MAPPING: ClassVar[dict[str, Any]] = {
        "table": "accounts",
        "key_attribute": "bulkhead_symbol",
        "fields": _FIELDS,
    }

    @property
    def address(self) -> dict[str, str]:
        here = f"https://{NAME}"
        return {
            "kind": "dataverse",
            "environment_url": here,
            "authority_url": here,
            "directory_id": self.crm.directory,
            "client_id": self.crm.client[0],
        }

    @property
    def client_secret(self) -> str:
        return self.crm.client[1]

    @property
    def guard(self) -> Egress:
        ca = self.crm.ca.read_text()
        return Egress.injecting(InjectedName(NAME, "127.0.0.1", self.crm.port, ca))


@dataclass(frozen=True)
class EngineRates:
    """`arrivals_s`: how long single changes took from their notice to the CRM's answer, sorted."""

    rates: dict[str, Measured]
    arrivals_s: list[float]


async def engine_rates(crm: CrmProcess, count: int) -> EngineRates:
    """First load and update of `count` rows, with everything that a push writes down; then single
    changes, one after the other."""
    crm.switch(dop_hint=_ROWS_AT_ONCE)
    async with prepared("sync") as ground, _sync(crm, ground) as sync:
        _fill(sync.peer, count, "first load")
        connection = await sync.connect()
        found = {"first load": await _measured(crm, ground, sync, connection, count)}
        _fill(sync.peer, count, "update")
        sync.parts.pusher.wake(sync.tenant, ConnectionId(UUID(connection)), 0.0)
        found["update"] = await _measured(crm, ground, sync, connection, count)
        arrivals = [await _arrival_s(sync, number) for number in range(_SINGLE_CHANGES)]
    return EngineRates(found, sorted(arrivals))


@contextlib.asynccontextmanager
async def _sync(crm: CrmProcess, ground: Ground) -> AsyncIterator[Sync]:
    outside, peer = OutsideCrm(crm), PeerTenants(TenantId(new_id()))
    peer.choice = {"organisation": list(_FIELDS)}
    given: dict[str, Any] = {
        "sweep_s": 600.0,
        "quick_s": 600.0,
        "settle_s": 0.2,
        "egress": outside.guard,
    }
    simulator: Any = outside
    async with running_sync(ground.url("sync"), ground.folder, simulator, peer, **given) as sync:
        yield sync


def _fill(peer: PeerTenants, count: int, version: str) -> None:
    """The rows of the SDK's side, field by field."""
    for number in range(count):
        peer.put(
            f"E-{number}",
            id_=uuid5(peer.tenant, str(number)),
            name=f"Company {number} {version}",
            sector="Information Technology",
            subindustry="Application Software",
            headquarters="San Francisco, California",
            dateadded="2020-01-31",
            cik=f"{number:010}",
            founded="1999",
        )


async def _measured(
    crm: CrmProcess, ground: Ground, sync: Sync, connection: str, count: int
) -> Measured:
    """Until the push has ended, with every row accepted."""
    before, calls = await _pushed(sync), _calls(crm)
    begun, spent = time.monotonic(), (time.process_time(), crm.spent_s, ground.server_s())

    async def has_ended() -> bool:
        return await _pushed(sync) != before

    await eventually(has_ended, 600)
    took, now = time.monotonic() - begun, (time.process_time(), crm.spent_s, ground.server_s())
    assert (await sync.get(f"/{connection}"))["outcomes"] == {"ok": count}
    client, there, database = ((b - a) / count * 1e6 for a, b in zip(spent, now, strict=True))
    return Measured(count / took, client, there, _calls(crm) - calls, database)


async def _arrival_s(sync: Sync, number: int) -> float:
    """With the pauses of production: notices are collected for a moment before the push begins."""
    before = await _pushed(sync)
    begun = time.monotonic()
    sync.peer.put(f"E-{number}", id_=uuid5(sync.peer.tenant, str(number)), name=f"Single {number}")
    await sync.tell(JournalAdvanced(tenant=sync.tenant))

    async def has_ended() -> bool:
        return await _pushed(sync) != before

    await eventually(has_ended, 60)
    return time.monotonic() - begun


async def _pushed(sync: Sync) -> object:
    async with sync.parts.db.read() as session:
        return await session.scalar(text("SELECT pushed_at FROM connection"))


def _calls(crm: CrmProcess) -> int:
    return sum(int(one["calls"]) for one in crm.counters().values())
