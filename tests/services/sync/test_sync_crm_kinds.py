"""Every kind of CRM stands behind the port; connections made before there was one go on."""

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId, new_id
from kit.db import Database
from kit.migrate import migrate
from services.sync import crm
from services.sync.__main__ import MIGRATIONS
from services.sync.connection import Connection
from services.sync.credential import Offered
from services.sync.crm import KINDS, connection_of
from services.sync.egress import Egress
from services.sync.problems import CrmAddressRefused
from services.sync.store import connections
from services.sync.store.connections import NewConnectionRow
from tests.services.sync.answering import MAPPING
from tests.services.sync.recording import RecordingLedger
from tests.services.sync.simulated_crms import ADDRESSES

HOSTS = ("crm.example.com", "login.example.com", "directory", "client")
COMMON = {
    "name": "A",
    "client_secret": "secret",
    "modules": {"organisation": {"table": "a", "key_attribute": "b", "fields": {"name": "c"}}},
}
_WANTED = TypeAdapter[crm.NewConnection](crm.NewConnection)
_OLD_ROW = text(
    "INSERT INTO connection (id, tenant, name, kind, state, environment_host, authority_host,"
    " directory_id, client_id, modules) VALUES (:id, :tenant, 'Old', 'dataverse', 'active',"
    " 'crm.example.com', 'login.example.com', 'directory', 'client', '{}')"
)
_OLD_VIEW = text(
    "SELECT environment_host, authority_host, directory_id, client_id FROM connection"
    " WHERE id = :id"
)


def wanted(kind: str, **changes: Any) -> crm.NewConnection:
    given = {**COMMON, **ADDRESSES[kind], "kind": kind, **changes}
    return _WANTED.validate_json(json.dumps(given))


def value_of(kind: str, address: dict[str, Any]) -> Connection:
    return connection_of(row_of(kind, address))


def row_of(kind: str, address: dict[str, Any], tenant: TenantId | None = None) -> NewConnectionRow:
    tenant = tenant or TenantId(new_id())
    return NewConnectionRow(ConnectionId(new_id()), tenant, "New", kind, address, {}, "recreate")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_address_is_kept_in_one_form_and_names_every_host_that_is_called(kind: str) -> None:
    kept = crm.stored_address(wanted(kind))
    assert crm.stored_address(wanted(kind, **kept)) == kept
    assert "kind" not in kept
    connection = value_of(kind, kept)
    assert connection.address.kind == kind
    assert connection.names == {"crm.example.com", "login.example.com"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_address_that_the_guard_refuses_is_refused_by_its_place_in_the_body(kind: str) -> None:
    urls = [name for name in ADDRESSES[kind] if name.endswith("_url")]
    assert urls
    for name in urls:
        with pytest.raises(CrmAddressRefused) as refused:
            crm.stored_address(wanted(kind, **{name: "https://127.0.0.1"}))
        assert refused.value.pointer == f"/{name}"


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_crm_says_why_it_cannot_be_reached_and_raises_nothing(kind: str) -> None:
    class Nowhere:
        async def resolve(self, _host: str) -> Any:
            raise OSError("no such name")

    guard = Egress(resolver=Nowhere())
    connection = value_of(kind, crm.stored_address(wanted(kind)))
    opened = KINDS[kind].start(guard, RecordingLedger()).open(connection, Offered.secret("secret"))
    refusal = await opened.refusal()
    assert refusal is not None
    assert refusal.meaning is crm.Meaning.BACK_OFF
    sent = await opened.write(MAPPING, [crm.RowWrite("new", "A", {"name": "x"})])
    assert sent.whole is not None
    found = await opened.probe()
    assert found.failed is not None
    assert opened.key_problem("") is not None
    await guard.close()


async def test_connections_of_the_version_before_are_carried_over(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    url = await service_db("sync")
    for name in ("001_pre_connections", "002_pre_forgetting", "003_pre_key_proof"):
        shutil.copy(MIGRATIONS / f"{name}.sql", tmp_path)
    db = Database(url)
    async with db.write() as session:
        await session.run(text("DROP SCHEMA public CASCADE"))
        await session.run(text("CREATE SCHEMA public"))
    await migrate(url, tmp_path)
    tenant, old, between = TenantId(new_id()), new_id(), new_id()
    async with db.write() as session:
        await session.run(_OLD_ROW, {"id": old, "tenant": tenant})
    await migrate(url, MIGRATIONS, phase="pre")
    address = crm.stored_address(wanted("dataverse"))
    new = row_of("dataverse", address, tenant)
    async with db.write() as session:  # both versions write before the old one is gone
        await session.run(_OLD_ROW, {"id": between, "tenant": tenant})
        await connections.add(session, new, 10)
    async with db.read() as session:
        seen = [await session.first(_OLD_VIEW, {"id": one}) for one in (old, new.id)]
    for one in seen:
        assert one is not None
        assert tuple(one.values()) == HOSTS
    await migrate(url, MIGRATIONS, phase="post")
    async with db.read() as session:
        found = [
            await connections.get(session, ConnectionId(one)) for one in (old, between, new.id)
        ]
    await db.close()
    assert [one.address for one in found if one is not None] == [address] * 3
