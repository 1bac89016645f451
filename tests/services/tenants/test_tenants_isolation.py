"""Between two tenants stand four walls; each is tried from the outermost inwards."""

from typing import Any
from uuid import uuid4

import pytest

from kit.sealing import SealBroken
from tenantdb import TenantDatabaseRefused
from tests.services.tenants.running_tenants import Suite

PERSON = {"fields": {"last_name": "Lovelace"}}


async def two(suite: Suite) -> tuple[Any, Any]:
    return await suite.tenant("A"), await suite.tenant("B")


async def test_a_token_of_one_tenant_finds_nothing_of_the_other(suite: Suite) -> None:
    a, b = await two(suite)
    record = (await suite.user(a, "POST", "/records/person", PERSON)).json()["id"]
    for method, path, body in (
        ("GET", "/modules", None),
        ("GET", "/records/person", None),
        ("GET", f"/records/person/{record}", None),
        ("POST", "/records/person", PERSON),
        ("DELETE", f"/records/person/{record}", None),
        ("GET", "/changes", None),
    ):
        assert (await suite.user(a, method, path, body, of=b)).status_code == 404, path
    assert (await suite.user(b, "GET", f"/records/person/{record}")).status_code == 404
    assert (await suite.user(a, "GET", f"/records/person/{record}")).status_code == 200


async def test_what_one_tenant_writes_the_other_never_sees(suite: Suite) -> None:
    a, b = await two(suite)
    await suite.user(a, "POST", "/records/person", PERSON)
    assert len((await suite.user(a, "GET", "/records/person")).json()["records"]) == 1
    assert (await suite.user(b, "GET", "/records/person")).json()["records"] == []


async def test_a_directory_row_that_points_to_another_database_is_refused(suite: Suite) -> None:
    """Row of A with database, key and password of B: the seal does not open for A."""
    a, b = await two(suite)
    await suite.database.execute(
        "UPDATE tenant SET database = 't_' || repeat('a', 26) WHERE id = $1", b
    )
    await suite.database.execute(
        """UPDATE tenant x SET wrapped_key = y.wrapped_key, sealed_password = y.sealed_password
        FROM tenant y WHERE x.id = $1 AND y.id = $2""",
        a,
        b,
    )
    with pytest.raises(SealBroken):
        await suite.parts.databases._lookup(a)
    assert (await suite.user(a, "GET", "/records/person")).status_code == 500


async def test_a_database_of_another_tenant_is_refused_even_with_its_own_password(
    suite: Suite,
) -> None:
    a, _ = await two(suite)
    name = await suite.name_of(a)
    async with suite.hands.inside(name, f"{name}_owner") as connection:
        await connection.execute("UPDATE tenant_identity SET tenant = $1", uuid4())
    answer = await suite.user(a, "GET", "/records/person")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/tenant-database-refused")
    with pytest.raises(TenantDatabaseRefused):
        async with suite.parts.databases.read(a):
            pass


async def test_a_lease_of_one_tenant_cannot_be_released_through_another(suite: Suite) -> None:
    a, b = await two(suite)
    lease = (await suite.peer("backup", "POST", f"/tenants/{a}/leases", {"purpose": "dump"})).json()
    answer = await suite.peer("backup", "DELETE", f"/tenants/{b}/leases/{lease['lease']}")
    assert answer.status_code == 404


async def test_a_restore_target_of_one_tenant_cannot_replace_another(suite: Suite) -> None:
    a, b = await two(suite)
    restore = str(uuid4())
    path = f"/tenants/{a}/restore-targets"
    target = (await suite.peer("backup", "POST", path, {"restore": restore})).json()["database"]
    body = {"restore": restore, "database": target}
    assert (await suite.peer("backup", "POST", f"/tenants/{b}/swap", body)).status_code == 404
    lease = {"purpose": "restore", "target": target}
    answer = await suite.peer("backup", "POST", f"/tenants/{b}/leases", lease)
    assert answer.status_code == 404
    await suite.peer("backup", "DELETE", f"{path}/{target}")


async def test_only_backup_gets_leases_and_swaps(suite: Suite) -> None:
    tenant, some = uuid4(), str(uuid4())
    for path, body in (
        ("leases", {"purpose": "dump"}),
        ("restore-targets", {"restore": some}),
        ("swap", {"restore": some, "database": "x"}),
    ):
        for peer in ("auth", "sync", "gateway"):
            answer = await suite.peer(peer, "POST", f"/tenants/{tenant}/{path}", body)
            assert answer.status_code == 403, (peer, path)
