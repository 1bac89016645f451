"""Restores that fail leave the tenant as it was, and those that were cut short come to an end."""

from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from contracts.ids import RestoreId
from kit import base64url
from kit.sealing import SigningKey
from services.backup.copy.fingerprint import differing
from services.backup.vault.manifest import Manifest
from tests.eventually import eventually
from tests.services.backup.running_backup import Backup


async def _mark(backup: Backup, tenant: UUID) -> int:
    """The number of records, and that none of what a restore makes is left behind."""
    names = await backup.peer.databases_in_cluster()
    name = backup.peer.databases[tenant].name
    assert [one for one in names if one.startswith(f"{name}_r")] == []
    assert backup.peer.leases == {}
    return int(await backup.peer.run(tenant, "SELECT count(*) FROM record"))


async def _set(backup: Backup, sql: str, **values: Any) -> None:
    async with backup.db.write() as session:
        assert await session.run(text(sql), values) == 1


async def test_altered_data_is_refused_and_the_tenant_stays(backup: Backup, tmp_path: Path) -> None:
    tenant = await backup.peer.add(300)
    made = await backup.backed_up(tenant)
    file = next(tmp_path.glob("vault/*/data/*.tbk"))
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    await backup.peer.run(tenant, "DELETE FROM record WHERE key < 'p2'")
    count = await _mark(backup, tenant)
    failed = await backup.restored(tenant, made["id"], "failed")
    assert failed["reason"] == "the stored backup is altered or cut"
    assert await _mark(backup, tenant) == count
    assert "backup.restore.completed.v1" not in await backup.notices()


async def test_an_altered_manifest_cannot_even_be_planned(backup: Backup, tmp_path: Path) -> None:
    tenant = await backup.peer.add(10)
    made = await backup.backed_up(tenant)
    file = next(tmp_path.glob(f"vault/*/manifests/{made['id']}.json"))
    file.write_bytes(file.read_bytes().replace(b'"zstd":2', b'"zstd":3'))
    answer = await backup.post(tenant, "/restores", {"backup": made["id"]})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/backup-broken"


async def test_data_that_differs_from_the_manifest_is_not_swapped_in(
    backup: Backup, tmp_path: Path
) -> None:
    """The last defence: what pg_restore made is not what was hashed at the source."""
    tenant = await backup.peer.add(50)
    made = await backup.backed_up(tenant)
    file = next(tmp_path.glob(f"vault/*/manifests/{made['id']}.json"))
    key = SigningKey(base64url.decode((tmp_path / "manifest_key").read_text()))
    manifest = Manifest.decode(file.read_bytes(), key.public)
    tables: dict[str, Any] = dict(manifest.tables)
    count, total, xor = tables["public.record"]
    tables["public.record"] = (count, total, str(int(xor) ^ 1))
    file.write_bytes(manifest.model_copy(update={"tables": tables}).signed(key).encode())
    failed = await backup.restored(tenant, made["id"], "failed")
    assert failed["reason"] == "the restored data differs from the manifest"
    assert await _mark(backup, tenant) == 50


def test_a_difference_in_any_number_or_a_missing_table_is_seen() -> None:
    then = {"a": ("1", "2", "3"), "b": ("0", "0", "0")}
    assert differing(then, dict(then)) == []
    for altered in [("2", "2", "3"), ("1", "1", "3"), ("1", "2", "2")]:
        assert differing(then, then | {"a": altered}) == ["a"]
    assert differing(then, {"a": then["a"]}) == ["b"]
    assert differing(then, then | {"c": ("0", "0", "0")}) == ["c"]


async def test_an_outage_of_the_tenants_service_before_the_swap_changes_nothing(
    backup: Backup,
) -> None:
    tenant = await backup.peer.add(50)
    made = await backup.backed_up(tenant)
    plan = await backup.planned(tenant, made["id"])
    backup.peer.down.add("leases")
    await backup.post(tenant, f"/restores/{plan['id']}/execute")
    location = f"/t/{tenant}/v1/restores/{plan['id']}"
    failed = await backup.ended(tenant, location, "failed")
    backup.peer.down.clear()
    assert failed["reason"] == "the tenants service could not be reached"
    assert await _mark(backup, tenant) == 50


async def test_a_swap_without_an_answer_is_asked_for_again_until_it_is_done(
    backup: Backup,
) -> None:
    tenant = await backup.peer.add(50)
    made = await backup.backed_up(tenant)
    await backup.peer.run(tenant, "DELETE FROM record")
    plan = await backup.planned(tenant, made["id"])
    backup.peer.down.add("swap")
    await backup.post(tenant, f"/restores/{plan['id']}/execute")

    async def is_swapping() -> bool:
        return bool((await backup.get(tenant, f"/restores/{plan['id']}"))["state"] == "swapping")

    await eventually(is_swapping, 60)
    backup.peer.down.clear()
    await backup.ended(tenant, f"/t/{tenant}/v1/restores/{plan['id']}", "completed")
    assert await _mark(backup, tenant) == 50
    assert (await backup.notices()).count("backup.restore.completed.v1") == 1


async def test_a_refused_swap_fails_the_restore_drops_the_target_and_is_not_repeated(
    backup: Backup,
) -> None:
    tenant = await backup.peer.add(50)
    made = await backup.backed_up(tenant)
    await backup.peer.run(tenant, "DELETE FROM record WHERE key < 'p2'")
    count = await _mark(backup, tenant)
    backup.peer.refused.add("swap")
    failed = await backup.restored(tenant, made["id"], "failed")
    backup.peer.refused.clear()
    assert failed["reason"] == "the tenants service refused"
    assert await _mark(backup, tenant) == count
    assert "backup.restore.completed.v1" not in await backup.notices()
    again = await backup.restored(tenant, made["id"])
    assert again["state"] == "completed"


async def test_a_restore_whose_process_died_while_filling_is_given_up_and_cleaned(
    backup: Backup,
) -> None:
    tenant = await backup.peer.add(50)
    made = await backup.backed_up(tenant)
    plan = await backup.planned(tenant, made["id"])
    restore = RestoreId(UUID(plan["id"]))
    client = backup.peer.client()
    target = await client.restore_target(tenant, restore)
    await client.aclose()
    await _set(
        backup,
        "UPDATE restore SET state = 'running', target = :target WHERE restore = :restore",
        target=target,
        restore=restore,
    )
    failed = await backup.ended(tenant, f"/t/{tenant}/v1/restores/{restore}", "failed")
    assert failed["reason"] == "interrupted"

    async def is_clean() -> bool:
        return target not in await backup.peer.databases_in_cluster()

    await eventually(is_clean)
    assert await _mark(backup, tenant) == 50


async def test_a_plan_is_executed_once_and_one_restore_runs_at_a_time(backup: Backup) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    first, second = [await backup.planned(tenant, made["id"]) for _ in range(2)]
    await backup.keep_busy(tenant)
    answers = [
        await backup.post(tenant, f"/restores/{one['id']}/execute")
        for one in (first, first, second)
    ]
    assert [answer.status_code for answer in answers] == [202, 409, 409]
    assert [answer.json().get("type") for answer in answers[1:]] == [
        "/problems/restore-not-planned",
        "/problems/restore-running",
    ]
    await _set(backup, "DELETE FROM turn")
    await backup.ended(tenant, f"/t/{tenant}/v1/restores/{first['id']}", "completed")
    listed = (await backup.get(tenant, "/restores"))["restores"]
    assert [(one["id"], one["state"]) for one in listed] == [
        (second["id"], "planned"),
        (first["id"], "completed"),
    ]


async def test_an_old_plan_is_not_executed(backup: Backup) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    plan = await backup.planned(tenant, made["id"])
    await _set(backup, "UPDATE restore SET planned_at = now() - interval '61 minutes'")
    answer = await backup.post(tenant, f"/restores/{plan['id']}/execute")
    assert answer.status_code == 409
    assert "too old" in answer.json()["detail"]


async def test_what_came_after_the_backup_is_set_aside_not_destroyed(backup: Backup) -> None:
    tenant = await backup.peer.add(20)
    made = await backup.backed_up(tenant)
    chain = await backup.peer.run(tenant, "SELECT chain FROM tenant_identity")
    await backup.restored(tenant, made["id"])
    name = backup.peer.databases[tenant].name
    names = await backup.peer.databases_in_cluster()
    assert len([one for one in names if one.startswith(f"{name}_x")]) == 1
    assert await backup.peer.run(tenant, "SELECT chain FROM tenant_identity") != chain
    assert await backup.peer.run(tenant, "SELECT count(*) FROM journal") == 0
