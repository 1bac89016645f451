"""Every tenant gets its daily full, however it became known and whatever was missed."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from contracts.events import TenantCreated
from contracts.ids import TenantId, new_id
from services.backup.daily import queue_due
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
    assert failed["reason"] == "the tenant's key is missing"
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
    made = [(await backup.backed_up(tenant))["id"] for _ in range(6)]

    async def has_five() -> bool:
        listed = (await backup.get(tenant, "/backups"))["backups"]
        return [one["id"] for one in listed] == made[:0:-1]

    await eventually(has_five)
    assert sum(path.is_file() for path in backup.vault_dir.rglob("*")) == 5 * 3
    answer = await backup.post(tenant, "/restores", {"snapshot": made[0]})
    assert answer.json()["detail"] == "its state is expired"
