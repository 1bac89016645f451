"""Every tenant gets its daily full, however it became known and whatever was missed."""

import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.events import TenantCreated
from contracts.ids import TenantId, new_id
from kit import clock
from services.backup.runs.daily import queue_due
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup, running_backup
from tests.services.backup.tenants_peer import Database, TenantsPeer


async def _run(backup: Backup, sql: str, **values: object) -> int:
    async with backup.db.write() as session:
        return await session.run(text(sql), values)


async def _snapshots(backup: Backup, tenant: UUID) -> list[tuple[str, str]]:
    listed = (await backup.get(tenant, "/backups"))["backups"]
    return [(one["cause"], one["state"]) for one in listed]


async def _known(backup: Backup) -> set[UUID]:
    async with backup.db.read() as session:
        return {row["tenant"] for row in await session.all(text("SELECT tenant FROM tenant"))}


async def test_a_tenant_becomes_known_by_its_notice(backup: Backup) -> None:
    tenant = TenantId(new_id())
    await backup.broker.publish(TenantCreated(tenant=tenant).to_message(source="/tenants"))

    async def is_known() -> bool:
        return tenant in await _known(backup)

    await eventually(is_known)
    assert (backup.keyring_dir / f"{tenant}.json").exists()


async def test_a_tenant_whose_notice_was_lost_is_found_by_the_sweep(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    tenant = await peer.add(1)
    async with running_backup(await service_db("backup"), peer, tmp_path, sweep_s=0.1) as backup:

        async def is_known() -> bool:
            return tenant in await _known(backup)

        await eventually(is_known)


async def _refuse(backup: Backup, table: str, tenant: UUID) -> None:
    """Rows of this tenant cannot be written."""
    body = f"BEGIN IF NEW.tenant = '{tenant}' THEN RAISE 'refused'; END IF; RETURN NEW; END"
    await _run(backup, f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS '{_q(body)}'")
    await _run(
        backup,
        f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()",
    )


def _q(text: str) -> str:
    return text.replace("'", "''")


async def test_a_tenant_that_cannot_be_made_known_holds_up_no_other(
    service_db: Callable[[str], Awaitable[str]], peer: TenantsPeer, tmp_path: Path
) -> None:
    url = await service_db("backup")
    async with running_backup(url, peer, tmp_path, sweep_s=0.1) as backup:
        stuck = TenantId(new_id())
        await _refuse(backup, "tenant", stuck)
        peer.databases[stuck] = Database("t_none", "none")
        other = await peer.add(1)

        async def is_known() -> bool:
            return other in await _known(backup)

        await eventually(is_known)
        assert stuck not in await _known(backup)
    del peer.databases[stuck]


async def test_a_full_that_cannot_be_queued_holds_up_no_other(backup: Backup) -> None:
    stuck, other = TenantId(new_id()), TenantId(new_id())
    await _refuse(backup, "snapshot", stuck)
    for tenant in (stuck, other):
        await backup.broker.publish(TenantCreated(tenant=tenant).to_message(source="/tenants"))
        await eventually(partial(_is_known, backup, tenant))
    await _run(backup, "UPDATE tenant SET known_at = now() - interval '3 days'")
    await queue_due(backup.db)
    assert [cause for cause, _ in await _snapshots(backup, other)] == ["schedule"]
    assert await _snapshots(backup, stuck) == []


async def _is_known(backup: Backup, tenant: TenantId) -> bool:
    return tenant in await _known(backup)


async def test_a_lost_key_of_a_known_tenant_fails_its_backups_and_is_not_replaced(
    backup: Backup,
) -> None:
    tenant = await backup.peer.add(10)
    await backup.backed_up(tenant)
    (backup.keyring_dir / f"{tenant}.json").unlink()
    failed = await backup.backed_up(tenant, "failed")
    assert failed["reason"] == "the tenant's keyring is missing"
    assert not (backup.keyring_dir / f"{tenant}.json").exists()


async def test_three_missed_days_are_one_full(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    await backup.backed_up(tenant)
    await _run(backup, "UPDATE tenant SET covered_until = now() - interval '3 days'")
    for _ in range(3):
        await queue_due(backup.db)

    async def is_done() -> bool:
        return await _snapshots(backup, tenant) == [
            ("schedule", "verified"),
            ("demand", "verified"),
        ]

    await eventually(is_done)
    await queue_due(backup.db)
    assert len(await _snapshots(backup, tenant)) == 2


async def test_the_first_full_of_a_new_tenant_is_taken_at_once(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    await backup.broker.publish(TenantCreated(tenant=tenant).to_message(source="/tenants"))

    async def is_known() -> bool:
        return tenant in await _known(backup)

    await eventually(is_known)
    await queue_due(backup.db)

    async def is_done() -> bool:
        return await _snapshots(backup, tenant) == [("schedule", "verified")]

    await eventually(is_done)


async def test_a_tenant_with_a_full_waits_for_its_next_slot(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    await backup.backed_up(tenant)
    await queue_due(backup.db)
    assert await _snapshots(backup, tenant) == [("demand", "verified")]


async def test_a_failed_full_is_tried_again_after_a_pause(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    backup.peer.down.add("leases")
    await backup.backed_up(tenant, "failed")
    await queue_due(backup.db)
    assert await _snapshots(backup, tenant) == [("demand", "failed")]
    backup.peer.down.clear()
    await _run(backup, "UPDATE tenant SET retry_at = now()")
    await queue_due(backup.db)

    async def is_done() -> bool:
        return (await _snapshots(backup, tenant))[0] == ("schedule", "verified")

    await eventually(is_done)


async def test_the_sixth_full_expires_the_first_and_leaves_no_orphan(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    made = [(await backup.backed_up(tenant))["id"] for _ in range(5)]
    left, fresh = [backup.vault_dir / f"{tenant}/data/{one * 32}.tbk" for one in "0f"]
    for orphan in (left, fresh):
        orphan.write_bytes(b"of a run that was killed, or that still runs")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(left, (two_days_ago, two_days_ago))
    made.append((await backup.backed_up(tenant))["id"])

    async def has_five() -> bool:
        listed = (await backup.get(tenant, "/backups"))["backups"]
        return [one["id"] for one in listed] == made[:0:-1]

    await eventually(has_five)
    await eventually(lambda: _number_of_files(backup.vault_dir) == 5 * 3 + 1)
    assert fresh.exists()
    answer = await backup.post(tenant, "/restores", {"backup": made[0]})
    assert answer.json()["detail"] == "its state is expired"


def _number_of_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _gauge() -> float:
    return REGISTRY.get_sample_value("bulkhead_backup_oldest_uncovered_seconds") or 0.0


async def test_the_alarm_counts_from_the_tenant_that_waits_longest_and_goes_on_counting(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await backup.backed_up(await backup.peer.add(1))
    oldest = clock.now() - timedelta(hours=30)
    one = "UPDATE tenant SET covered_until = :at WHERE tenant = (SELECT min(tenant::text)::uuid"
    await _run(backup, one + " FROM tenant)", at=oldest)
    await queue_due(backup.db)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=7))
    assert _gauge() == (now + timedelta(days=7) - oldest).total_seconds()


@pytest.mark.parametrize("covered", ["NULL", "now() + interval '1 hour'"])
async def test_the_alarm_counts_from_the_beginning_where_no_full_has_a_known_age(
    backup: Backup, monkeypatch: pytest.MonkeyPatch, covered: str
) -> None:
    await backup.backed_up(await backup.peer.add(1))
    known = clock.now() - timedelta(hours=50)
    await _run(backup, f"UPDATE tenant SET covered_until = {covered}, known_at = :at", at=known)
    await queue_due(backup.db)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    assert _gauge() == (now - known).total_seconds()


async def test_without_tenants_there_is_no_alarm(backup: Backup) -> None:
    await queue_due(backup.db)
    assert _gauge() == 0.0


async def test_a_full_stamped_in_the_future_silences_no_daily_full(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our clock was far ahead of PostgreSQL's and is put right: the other way round is a year."""
    tenant = await backup.peer.add(10)
    made = await backup.backed_up(tenant)
    await _run(backup, "UPDATE tenant SET covered_until = now() + interval '1 year'")
    await _run(backup, "UPDATE snapshot SET taken_at = now() + interval '1 year'")
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["at"] is None
    await queue_due(backup.db)

    async def is_done() -> bool:
        states = [("schedule", "verified"), ("demand", "verified")]
        return await _snapshots(backup, tenant) == states

    await eventually(is_done)
    await queue_due(backup.db)
    assert len(await _snapshots(backup, tenant)) == 2
    future = "UPDATE snapshot SET taken_at = now() + interval '1 year' WHERE cause = 'schedule'"
    await _run(backup, future)
    await _run(backup, "UPDATE snapshot SET taken_at = now() WHERE cause = 'demand'")
    assert [cause for cause, _ in await _snapshots(backup, tenant)] == ["demand", "schedule"]


async def test_a_full_of_a_database_whose_clock_is_ahead_covers_until_its_run_began(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours is half an hour behind: each full is of the future, and yet one a day is enough."""
    tenant, real = await backup.peer.add(10), clock.now
    monkeypatch.setattr(clock, "now", lambda: real() - timedelta(minutes=30))
    await backup.backed_up(tenant)
    async with backup.db.read() as session:
        until = await session.scalar(text("SELECT covered_until FROM tenant"))
    assert until <= clock.now()
    await queue_due(backup.db)
    assert len(await _snapshots(backup, tenant)) == 1


async def test_a_pause_longer_than_any_pause_does_not_hold(backup: Backup) -> None:
    tenant = await backup.peer.add(10)
    backup.peer.down.add("leases")
    await backup.backed_up(tenant, "failed")
    backup.peer.down.clear()
    await _run(backup, "UPDATE tenant SET retry_at = now() + interval '4 hours 1 minute'")
    await queue_due(backup.db)

    async def is_done() -> bool:
        return (await _snapshots(backup, tenant))[0] == ("schedule", "verified")

    await eventually(is_done)
