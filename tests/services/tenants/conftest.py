"""The tenants service over fresh databases, one for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.credentials import (
    AccessVerifier,
    CallerVerifier,
)
from kit import base64url
from kit.http import put
from kit.messaging.memory import MemoryBroker
from kit.sealing import SigningKey, new_key
from kit.tokens import KeySet, Signer
from services.tenants.app import create_app
from services.tenants.settings import TenantsSettings
from tenantdb import provision, swap, template
from tenantdb.cluster import Cluster
from tests.services.auth.running_auth import Auth
from tests.services.backup.tenants_peer import TenantsPeer
from tests.services.tenants.client_stages import OfBackup, OfLists, OfSync, Real
from tests.services.tenants.restoring import Restore
from tests.services.tenants.running_tenants import ISSUER, PEERS, Suite


@pytest.fixture(scope="session")
async def tenant_template(cluster: Any) -> None:
    """The template that every tenant database of the run is copied from."""
    await template.build(Cluster(cluster.url("tenants")))


@pytest.fixture
async def settings(
    tenant_template: None, service_db: Callable[[str], Awaitable[str]], tmp_path: Path
) -> TenantsSettings:
    """Settings over a fresh control database."""
    url = await service_db("tenants")
    for name, text in {"url": url, "kek": base64url.encode(new_key()), "ids": "{}"}.items():
        (tmp_path / name).write_text(text)
    return TenantsSettings(
        port=1,
        database_url_file=tmp_path / "url",
        amqp_url_file=tmp_path / "url",
        identity_key_file=tmp_path / "kek",
        identities_file=tmp_path / "ids",
        kek_file=tmp_path / "kek",
        auth_url="http://127.0.0.1:1",
        tenants_url="http://127.0.0.1:1",
    )


@pytest.fixture
async def suite(settings: TenantsSettings) -> AsyncIterator[Suite]:
    """The service as create_app makes it, with its consumers and timers running."""
    url, hands = settings.database_url, Cluster(settings.database_url)
    app = create_app(settings, broker=MemoryBroker())
    key, peers = SigningKey.generate(), {name: SigningKey.generate() for name in PEERS}

    async def keys() -> dict[str, Any]:
        return {"test": key.public}

    ring = KeySet(keys)
    await ring.fetch()
    put(app, AccessVerifier(ring, ISSUER))
    publics = {name: peer.public.to_base64url() for name, peer in peers.items()}
    put(app, CallerVerifier("tenants", publics))
    database = await asyncpg.connect(url)
    async with app.router.lifespan_context(app):
        yield Suite(app, hands, Signer(key, "test"), peers, database)
    for row in await database.fetch("SELECT database FROM tenant"):
        await provision.drop(hands, row["database"])
    await database.close()


@pytest.fixture
async def one(suite: Suite) -> AsyncIterator[Restore]:
    """A restore that is ready to be swapped in."""
    made = await Restore.prepared(suite)
    yield made
    row = await made.target()
    if row is not None and row["aside"]:
        await suite.hands.drop_database(row["aside"])
    await swap.drop_target(suite.hands, made.database)


@pytest.fixture
async def real(suite: Suite) -> AsyncIterator[Real]:
    made = Real(suite)
    yield made
    await made.clear()


@pytest.fixture
async def of_backup(tenant_template: None, cluster: Any) -> AsyncIterator[OfBackup]:
    peer = TenantsPeer(Cluster(cluster.url("tenants")), cluster.superuser_url)
    yield OfBackup(peer)
    await peer.clear()


@pytest.fixture
def of_auth(suite: Suite) -> OfLists:
    auth = Auth(suite.db)
    return OfLists(auth.directory, auth.list_tenants)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Any:
    match request.param:
        case "the service":
            return request.getfixturevalue("real")
        case "sync's":
            return OfSync()
        case "backup's":
            return request.getfixturevalue("of_backup")
        case "auth's":
            return request.getfixturevalue("of_auth")
    return OfLists.of_the_gateway()
