"""Stocktaking: the index is compared with the vault, and retention lets the oldest go.

Order: what goes is marked in the index, then deleted from the vault. Who dies in between leaves a
backup that nobody is offered any more, and the next stocktaking decides on it again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from prometheus_client import Gauge

from contracts.ids import BackupId, TenantId
from kit import clock, logs
from kit.db import Database
from kit.timers import each
from services.backup.failures import FailureReason
from services.backup.store import backups, tenants
from services.backup.store.turns import FencedSession, Turn
from services.backup.vault.catalogue import Catalogue, Entry, Stock
from services.backup.vault.comparison import Findings, Found, NewState, Shown, compare

Hold = Callable[[TenantId, Callable[[Turn], Awaitable[None]]], Awaitable[None]]
"""Does some work in a tenant's turn, unless somebody else has it."""

_AT_ONCE = 4  # one connection of the pool is left to others
_NAMED = 5
_STRAYS = Gauge(
    "bulkhead_backup_strays", "Files in the vault, as of the last stocktaking, that are not ours"
)
_DAMAGED = Gauge(
    "bulkhead_backup_damaged", "Backups, as of the last stocktaking, that are broken or missing"
)
_log = logs.get(__name__)


@dataclass(frozen=True)
class Stocktake:
    """Looks at what the vault holds; `leftovers_after` is longer than any run can last."""

    db: Database
    catalogue: Catalogue
    leftovers_after: timedelta
    strays: dict[TenantId, int] = field(default_factory=dict)

    async def sweep(self, hold: Hold) -> None:
        """Every tenant, a few at once. A tenant that is busy takes stock at the end of its run."""
        async with self.db.read() as session:
            known = await tenants.known(session)
        await each(known, lambda tenant: hold(tenant, self.take), "stocktaking", at_once=_AT_ONCE)
        async with self.db.read() as session:
            _DAMAGED.set(await backups.damaged(session))

    async def take(self, turn: Turn) -> None:
        """Compare the backups of the tenant whose turn it is, and let the oldest go."""
        tenant = turn.tenant
        stock = await self.catalogue.stock(tenant)
        entries = {entry.manifest.backup: entry for entry in stock.entries}
        self._report(tenant, stock.strays)
        async with turn.write() as session:
            listed = await backups.listed(session, tenant, [*entries, *stock.refused])
            findings = compare(listed, _found(tenant, stock), clock.now())
            await self._write(session, tenant, entries, findings)
            await tenants.measure(session, tenant, stock.size)
        for backup in map(BackupId, findings.gone):
            async with turn.write():  # whoever comes next may have decided otherwise
                await self.catalogue.remove(tenant, backup, entries.get(backup))
        before = clock.now() - self.leftovers_after
        await self.catalogue.collect(tenant, before)
        await self.catalogue.vault.sweep_leftovers(str(tenant), before)

    async def _write(
        self,
        session: FencedSession,
        tenant: TenantId,
        entries: dict[BackupId, Entry],
        findings: Findings,
    ) -> None:
        for backup, state in findings.marks.items():
            await _mark(session, tenant, BackupId(backup), state, entries)
            extra = {"tenant": str(tenant), "backup": str(backup), "state": state}
            _log.warning("the vault shows another state of a backup", **extra)
        await backups.expire(session, [BackupId(backup) for backup in findings.gone])
        if findings.lost:
            await tenants.recover(session, tenant, findings.covered_until)

    def _report(self, tenant: TenantId, strays: list[str]) -> None:
        """Say once that there are files of somebody else; they are not touched."""
        if strays and self.strays.get(tenant) != len(strays):
            named = [ascii(name)[:100] for name in strays[:_NAMED]]
            extra = {"tenant": str(tenant), "strays": len(strays), "names": named}
            _log.warning("files in the vault are not ours", **extra)
        self.strays[tenant] = len(strays)
        _STRAYS.set(sum(self.strays.values()))


async def _mark(
    session: FencedSession,
    tenant: TenantId,
    backup: BackupId,
    state: NewState,
    entries: dict[BackupId, Entry],
) -> None:
    match state:
        case "broken":
            await backups.lose(session, backup, FailureReason.BROKEN, clock.now())
        case "refused":
            await backups.lose(session, backup, FailureReason.REFUSED, clock.now())
        case "missing":
            await backups.lose(session, backup, FailureReason.GONE, clock.now())
        case "queued":
            await backups.read_again(session, tenant, backup)
        case "verified":
            entry = entries[backup]
            assert entry.verification is not None
            await backups.adopt(session, entry.manifest)
            level = entry.verification.proof
            await backups.complete(session, backup, entry.manifest, clock.now(), level)


def _found(tenant: TenantId, stock: Stock) -> dict[UUID, Found]:
    """What the vault shows of each backup, without reading its data."""
    found: dict[UUID, Found] = {}
    for backup in stock.refused:
        found[backup] = Found(None, "refused", stock.manifest_at(tenant, backup))
    for entry in stock.entries:
        backup, data = entry.manifest.backup, stock.objects.get(entry.manifest.object)
        at = stock.manifest_at(tenant, backup)
        changed_at = max(at, data.at) if data else at
        found[backup] = Found(
            entry.manifest.at, _shown(entry, data.size if data else None), changed_at
        )
    return found


def _shown(entry: Entry, size: int | None) -> Shown:
    if size is None:
        return "missing"
    if size != entry.manifest.size or _has_failed(entry):
        return "broken"
    return "verified" if entry.verified else "unverified"


def _has_failed(entry: Entry) -> bool:
    return entry.verification is not None and not entry.verification.passed
