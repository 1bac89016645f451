"""The backup service running in this process, in the words of its API."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from sqlalchemy import text

from contracts.access import Grants, Scope
from contracts.clients import TenantsClient
from contracts.credentials import ACCESS_AUDIENCE, AccessVerifier, Actor, claims_of
from contracts.ids import BackupId, SessionId, TenantId, UserId, new_id
from contracts.permissions import PERMISSIONS
from kit import base64url, clock
from kit.db import Database
from kit.http import put
from kit.messaging.memory import MemoryBroker
from kit.sealing import Kek, SigningKey, new_key
from kit.tokens import KeySet, Signer, key_id
from services.backup.app import create_app
from services.backup.copy.load import Restores
from services.backup.copy.pg_tools import PgTools
from services.backup.copy.room import VaultRoom
from services.backup.copy.take import Fulls
from services.backup.copy.verify import BackupVerifier
from services.backup.runs.stocktake import Stocktake
from services.backup.settings import BackupSettings
from services.backup.vault.catalogue import Catalogue, Entry
from services.backup.vault.key_files import KeyFiles
from services.backup.vault.objects import Vault
from tests.eventually import eventually
from tests.services.backup.tenants_peer import TenantsPeer

_ISSUER = SigningKey.generate()


class Backup:
    """The running service and the peer that it asks."""

    app: FastAPI
    client: httpx2.AsyncClient

    def __init__(self, db: Database, peer: TenantsPeer, folder: Path) -> None:
        self.db, self.peer, self.broker = db, peer, MemoryBroker()
        self.vault_dir, self.keyring_dir = folder / "vault", folder / "keyring"

    async def post(self, tenant: UUID, path: str, body: Any = None) -> httpx2.Response:
        url = f"/t/{tenant}/v1{path}"
        return await self.client.post(url, json=body, headers=bearer(tenant))

    async def get(self, tenant: UUID, path: str) -> Any:
        answer = await self.client.get(f"/t/{tenant}/v1{path}", headers=bearer(tenant))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def backed_up(self, tenant: UUID, state: str = "verified") -> dict[str, Any]:
        """Ask for a full and wait for its end."""
        answer = await self.post(tenant, "/backups")
        assert answer.status_code == 202, answer.text
        return await self.ended(tenant, answer.headers["location"], state)

    async def planned(self, tenant: UUID, snapshot: str) -> dict[str, Any]:
        answer = await self.post(tenant, "/restores", {"backup": snapshot})
        assert answer.status_code == 201, answer.text
        plan: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/t/{tenant}/v1/restores/{plan['id']}"
        return plan

    async def restored(
        self, tenant: UUID, snapshot: str, state: str = "completed"
    ) -> dict[str, Any]:
        plan = await self.planned(tenant, snapshot)
        answer = await self.post(tenant, f"/restores/{plan['id']}/execute")
        assert answer.status_code == 202, answer.text
        return await self.ended(tenant, answer.headers["location"], state)

    async def ended(self, tenant: UUID, location: str, state: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def is_over() -> bool:
            found.update(await self.get(tenant, location.removeprefix(f"/t/{tenant}/v1")))
            return found["state"] in ("completed", "verified", "failed")

        await eventually(is_over, 60)
        assert found["state"] == state, found
        return found

    async def keep_busy(self, tenant: UUID) -> None:
        """Hold the tenant's turn, as a run of another process would."""
        sql = (
            "INSERT INTO turn VALUES (:tenant, :holder, now() + interval '1 hour')"
            " ON CONFLICT DO NOTHING"
        )

        async def taken() -> bool:
            async with self.db.write() as session:
                return await session.run(text(sql), {"tenant": tenant, "holder": new_id()}) == 1

        await eventually(taken)

    async def notices(self) -> list[str]:
        async with self.db.read() as session:
            rows = await session.all(text("SELECT body FROM outbox ORDER BY seq"))
        return [json.loads(row["body"])["type"] for row in rows]


def bearer(tenant: UUID, *permissions: str) -> dict[str, str]:
    """A token of the tenant; for everything in the catalogue unless permissions are named."""
    scopes = dict.fromkeys(permissions or PERMISSIONS, Scope.ALL)
    actor = Actor(
        realm="tenant",
        user=UserId(new_id()),
        tenant=TenantId(tenant),
        session=SessionId(new_id()),
        level=80,
        grants=Grants(PERMISSIONS, scopes),
    )
    issued = int(clock.now().timestamp())
    registered = {
        "iss": "https://bulkhead",
        "aud": ACCESS_AUDIENCE,
        "iat": issued,
        "exp": issued + 300,
    }
    signer = Signer(_ISSUER, key_id(_ISSUER.public))
    return {"Authorization": "Bearer " + signer.sign(claims_of(actor, 1) | registered)}


@asynccontextmanager
async def running_backup(
    url: str, peer: TenantsPeer, folder: Path, **changes: Any
) -> AsyncIterator[Backup]:
    db = Database(url)
    backup = Backup(db, peer, folder)
    settings = settings_in(folder, url, peer.identity, **changes)
    tenants = TenantsClient(
        settings.tenants_url, key=peer.identity, service="backup", transport=peer.transport
    )
    backup.app = create_app(settings, broker=backup.broker, tenants=tenants)
    keys = KeySet(_keys)
    await keys.fetch()
    put(backup.app, AccessVerifier(keys, settings.issuer))
    transport = httpx2.ASGITransport(backup.app, raise_app_exceptions=False)
    async with backup.app.router.lifespan_context(backup.app):
        async with httpx2.AsyncClient(transport=transport, base_url="http://backup") as client:
            backup.client = client
            yield backup
    await db.close()


async def _keys() -> dict[str, Any]:
    return {key_id(_ISSUER.public): _ISSUER.public}


def settings_in(folder: Path, url: str, identity: SigningKey, **changes: Any) -> BackupSettings:
    """Settings whose secrets lie in `folder`; those that are there stay."""
    secrets = {
        "database_url": url,
        "amqp_url": "amqp://nowhere",
        "identity_key": identity.seed_base64url(),
        "identities": "{}",
        "kek": base64url.encode(new_key()),
        "manifest_key": SigningKey.generate().seed_base64url(),
    }
    for name, value in secrets.items():
        if not (folder / name).exists():
            (folder / name).write_text(value)
    members: dict[str, Any] = {
        "port": 1,
        "auth_url": "http://auth",
        "tenants_url": "http://tenants",
        "vault_dir": folder / "vault",
        "keyring_dir": folder / "keyring",
        "tick_s": 0.1,
        "turn_s": 30.0,
    }
    files = {f"{name}_file": folder / name for name in secrets}
    return BackupSettings(**members | files | changes)


class Workshop:
    """The parts of the service without its HTTP, for what only they can show."""

    def __init__(self, peer: TenantsPeer, folder: Path) -> None:
        self.peer, self.vault_dir = peer, folder / "vault"
        self.kek, self.signing = Kek(new_key()), SigningKey.generate()
        self.keyring_dir = folder / "keyring"
        self.keyring = KeyFiles(self.keyring_dir, self.kek)
        self.catalogue = Catalogue(Vault.local(self.vault_dir), self.signing)
        self.tools, self.tenants = PgTools.find(None), peer.client()
        self.fulls = Fulls(
            self.catalogue, self.keyring, self.tenants, self.tools, self.room(1 << 30)
        )
        self.verifier = BackupVerifier(self.catalogue, self.keyring, self.tools)
        self.restores = Restores(self.catalogue, self.keyring, self.tenants, self.tools)

    def room(self, share: int, floor: int = 1) -> VaultRoom:
        return VaultRoom(self.catalogue.vault, share, floor)

    async def full(self, tenant: TenantId, largest: int = 0) -> Entry:
        """Taken and published, as a run does it."""
        manifest = await self.fulls.take(tenant, BackupId(new_id()), largest)
        return await self.catalogue.publish(manifest)

    def stocktake(self, db: Database) -> Stocktake:
        return Stocktake(db, self.catalogue, timedelta(days=1))
