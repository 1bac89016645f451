"""The keyring: what is sealed for one tenant, connection and slot opens nowhere else."""

import asyncio

import pytest

from contracts.ids import ConnectionId, TenantId, new_id
from kit.db import Database
from kit.sealing import Kek, SealBroken, new_key
from services.sync.tenant_keys import TenantKeys


async def test_a_sealed_secret_opens_only_in_its_own_place(sync_url: str) -> None:
    db = Database(sync_url)
    keyring = TenantKeys(Kek(new_key()), db)
    tenant, other = TenantId(new_id()), TenantId(new_id())
    connection, another = ConnectionId(new_id()), ConnectionId(new_id())
    version, sealed = await keyring.seal(tenant, connection, "current", "secret")
    await keyring.seal(other, connection, "current", "secret")
    assert await keyring.open(tenant, connection, "current", version, sealed) == "secret"
    for place in (
        (other, connection, "current"),
        (tenant, another, "current"),
        (tenant, connection, "next"),
    ):
        with pytest.raises(SealBroken):
            await keyring.open(*place, version, sealed)
    with pytest.raises(SealBroken):
        await TenantKeys(Kek(new_key()), db).open(tenant, connection, "current", version, sealed)
    assert await keyring.hash_key(tenant) == await keyring.hash_key(tenant)
    assert await keyring.hash_key(tenant) != await keyring.hash_key(other)
    await db.close()


async def test_two_who_need_a_tenants_first_key_get_the_same_one(sync_url: str) -> None:
    db = Database(sync_url)
    kek, tenant, connection = Kek(new_key()), TenantId(new_id()), ConnectionId(new_id())
    sealed = await asyncio.gather(
        *(TenantKeys(kek, db).seal(tenant, connection, "current", "x") for _ in range(4))
    )
    for version, text in sealed:
        assert await TenantKeys(kek, db).open(tenant, connection, "current", version, text) == "x"
    await db.close()
