"""The HTTP operations of backup: ask for a backup, look at them, plan a restore, execute it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response

from contracts.authorise import needs
from contracts.credentials import Actor
from contracts.ids import BackupId, RestoreId, TenantId, new_id
from kit import clock
from kit.db import ReadSession, WriteSession
from kit.http import Read, created
from kit.problems import DependencyDown
from services.backup.copy.room import VaultRoom
from services.backup.failures import FailureReason, RunFailed, reason_of
from services.backup.parts import BackupParts, With
from services.backup.problems import (
    BackupIsBroken,
    BackupNotFound,
    BackupNotRestorable,
    RestoreNotFound,
    RestoreNotPlanned,
    RestorePlansTooMany,
    RestoreRunning,
    VaultNearlyFull,
    VaultShareFull,
)
from services.backup.schemas import BackupList, BackupView, Restore, RestoreList, RestoreRequest
from services.backup.store import backups, restores, tenants
from services.backup.vault.manifest import ManifestRefused
from services.backup.vault.objects import ObjectMissing, VaultDown

router = APIRouter(prefix="/t/{tenant}/v1")


@router.post("/backups", status_code=202)
async def ask_backup(
    tenant: TenantId,
    actor: Annotated[Actor, needs("backup.run")],
    parts: With,
    response: Response,
) -> BackupView:
    """Queue a full backup; the answer is the one that is queued or running already, if any."""
    async with parts.db.write() as session:
        await _require_vault_room(session, tenant, parts.room)
        await parts.known.add(session, tenant)
        row = await backups.ask(session, tenant, "demand", actor.user)
    parts.runs.wake()  # after the commit: what is not committed is not claimed
    created(response, f"/t/{tenant}/v1/backups/{row.backup}")
    return BackupView.of(row)


@router.get("/backups", dependencies=[needs("backup.view")])
async def list_backups(tenant: TenantId, session: Read) -> BackupList:
    """The newest hundred, newest first, also those that failed."""
    rows = await backups.newest(session, tenant, clock.now())
    return BackupList(backups=[BackupView.of(row) for row in rows])


@router.get("/backups/{backup}", dependencies=[needs("backup.view")])
async def read_backup(tenant: TenantId, backup: BackupId, session: Read) -> BackupView:
    """One backup with its state."""
    row = await backups.find(session, tenant, backup)
    if row is None:
        raise BackupNotFound
    return BackupView.of(row)


@router.post("/restores", status_code=201)
async def plan_restore(
    tenant: TenantId,
    body: RestoreRequest,
    actor: Annotated[Actor, needs("backup.preview")],
    parts: With,
    response: Response,
) -> Restore:
    """Show what a restore would do, without doing anything: rows of each table then and now."""
    async with parts.db.read() as session:
        row = await backups.find(session, tenant, body.backup)
        await _require_room(session, tenant, parts)
    if row is None:
        raise BackupNotFound
    if row.state != "verified":
        raise BackupNotRestorable(f"its state is {row.state}")
    restore = RestoreId(new_id())
    plan = await _plan(parts, tenant, body.backup)
    created(response, f"/t/{tenant}/v1/restores/{restore}")
    async with parts.db.write() as writing:
        await tenants.hold(writing, tenant)
        await _require_room(writing, tenant, parts)
        await restores.add(writing, restore, tenant, body.backup, plan, actor.user)
        return await _restore(writing, tenant, restore)


@router.post("/restores/{restore}/execute", status_code=202)
async def execute_restore(
    tenant: TenantId,
    restore: RestoreId,
    actor: Annotated[Actor, needs("backup.restore")],
    parts: With,
    response: Response,
) -> Restore:
    """Carry out a plan, once. Everything after the backup's moment is set aside."""
    async with parts.db.write() as session:
        planned = await _restore(session, tenant, restore)
        if clock.now() - planned.planned_at > parts.plan_lives:
            raise RestoreNotPlanned("the plan is too old")
        await _queue(session, restore, actor)
        queued = await _restore(session, tenant, restore)
    parts.runs.wake()  # after the commit: what is not committed is not claimed
    created(response, f"/t/{tenant}/v1/restores/{restore}")
    return queued


@router.get("/restores", dependencies=[needs("backup.view")])
async def list_restores(tenant: TenantId, session: Read) -> RestoreList:
    """The newest hundred, newest first."""
    rows = await restores.newest(session, tenant)
    return RestoreList(restores=[Restore.of(row) for row in rows])


@router.get("/restores/{restore}", dependencies=[needs("backup.view")])
async def read_restore(tenant: TenantId, restore: RestoreId, session: Read) -> Restore:
    """One restore: its plan, its state, and the reason where it failed."""
    return await _restore(session, tenant, restore)


async def _restore(session: ReadSession, tenant: TenantId, restore: RestoreId) -> Restore:
    row = await restores.find(session, tenant, restore)
    if row is None:
        raise RestoreNotFound
    return Restore.of(row)


async def _require_room(session: ReadSession, tenant: TenantId, parts: BackupParts) -> None:
    since = clock.now() - parts.plan_lives
    try:
        await restores.require_room(session, tenant, since, parts.plans_most)
    except restores.PlansTooMany:
        raise RestorePlansTooMany(f"{parts.plans_most} plans are open") from None


async def _require_vault_room(session: ReadSession, tenant: TenantId, room: VaultRoom) -> None:
    used = await tenants.vault_bytes(session, tenant)
    largest = await tenants.largest_vault_bytes(session)
    try:
        await asyncio.to_thread(room.check, used + 1, largest)
    except RunFailed as full:
        if full.reason is FailureReason.SHARE_FULL:
            raise VaultShareFull(f"{used} of {room.share} bytes are used") from None
        raise VaultNearlyFull(f"less than {room.floor} bytes are free; {used} are used") from None


async def _queue(session: WriteSession, restore: RestoreId, actor: Actor) -> None:
    try:
        if not await restores.queue(session, restore, actor.user):
            raise RestoreNotPlanned
    except restores.RestoreOpen:
        raise RestoreRunning from None


async def _plan(parts: BackupParts, tenant: TenantId, backup: BackupId) -> dict[str, Any]:
    try:
        return await parts.restores.plan(tenant, backup)
    except (ObjectMissing, ManifestRefused) as error:
        reason = reason_of(error)
        async with parts.db.write() as session:
            await backups.lose(session, backup, reason, clock.now())
        raise BackupIsBroken(reason) from None
    except (RunFailed, VaultDown) as error:
        raise DependencyDown(reason_of(error)) from None
