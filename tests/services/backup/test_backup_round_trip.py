"""From a full backup to a restored tenant, through the service's own API, on real PostgreSQL."""

from uuid import UUID

from tests.services.backup.running_backup import Backup


async def test_a_restored_tenant_equals_its_backup_by_count_and_hash(backup: Backup) -> None:
    peer = backup.peer
    tenant, other = await peer.add(2_000), await peer.add(100)
    before = await _state(backup, tenant)
    made = await backup.backed_up(tenant)
    assert made["proved"] == "archive"
    await peer.run(tenant, "DELETE FROM record WHERE key < 'p5'")
    await peer.run(tenant, 'UPDATE record SET data = data || \'{"last_name": "Other"}\'')
    neighbour = await _state(backup, other)

    plan = await backup.planned(tenant, made["id"])
    records = next(t for t in plan["plan"]["tables"] if t["table"] == "public.record")
    assert records["rows_then"] == 2_000
    assert records["rows_now"] < 2_000

    restored = await backup.restored(tenant, made["id"])
    assert restored["reason"] is None
    assert await _state(backup, tenant) == before
    assert await _state(backup, other) == neighbour
    assert (await backup.get(tenant, f"/backups/{made['id']}"))["proved"] == "restored"
    assert await backup.notices() == [
        "backup.backup.completed.v1",
        "backup.restore.completed.v1",
    ]
    assert peer.leases == {}


async def _state(backup: Backup, tenant: UUID) -> str:
    return str(
        await backup.peer.run(
            tenant,
            "SELECT count(*) || ' ' || coalesce(sum(hash_record_extended(r.*, 0)::numeric), 0)"
            " FROM record r",
        )
    )
