"""The auth service running in this process, with a clock and a list of tenants that tests move."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from fastapi import FastAPI
from sqlalchemy import text

from contracts.clients import TenantEntry
from kit import clock
from kit.db import Database
from kit.http import parts_of
from kit.messaging.memory import MemoryBroker
from kit.problems import DependencyDown
from kit.sealing import SigningKey
from services.auth.app import create_app
from services.auth.invitation import invite_first_operator
from services.auth.parts import AuthParts
from services.auth.passwords import Passwords
from services.auth.settings import AuthSettings
from tests.eventually import eventually

PASSWORD = "violet tractor under nine moons"
Answer = httpx2.Response


class Clock:
    """The present, moved by `ahead`; stopped where `stands_at` is set."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.stands_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self.stands_at or clock.now()) + self.ahead

    def stop(self) -> None:
        """From now on only `ahead` moves it."""
        self.stands_at = clock.now()


class Auth:
    """What a test needs of the running service, in the words of its API."""

    app: FastAPI
    client: httpx2.AsyncClient

    def __init__(self, db: Database) -> None:
        self.db, self.broker, self.clock = db, MemoryBroker(), Clock()
        self.directory: dict[UUID, Any] = {}
        self.asked, self.is_alone = 0, False
        self.address = ""

    async def list_tenants(self) -> Sequence[TenantEntry]:
        self.asked += 1
        if self.is_alone:
            raise DependencyDown
        return [TenantEntry(id=one, state=state) for one, state in self.directory.items()]

    async def post(self, path: str, body: Any, token: str = "") -> Answer:
        return await self.client.post(path, json=body, headers=self.headers(token))

    async def put(self, path: str, body: Any, token: str = "") -> Answer:
        return await self.client.put(path, json=body, headers=self.headers(token))

    async def get(self, path: str, token: str = "") -> Answer:
        return await self.client.get(path, headers=self.headers(token))

    async def delete(self, path: str, token: str = "") -> Answer:
        return await self.client.delete(path, headers=self.headers(token))

    def headers(self, token: str = "") -> dict[str, str]:
        """A bearer token, and the address that the edge would name."""
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return bearer | ({"x-gw-address": self.address} if self.address else {})

    async def login(
        self, email: str, password: str = PASSWORD, tenant: UUID | None = None
    ) -> Answer:
        return await self.post(f"{_base(tenant)}/login", {"email": email, "password": password})

    async def logged_in(self, email: str, tenant: UUID | None = None) -> dict[str, Any]:
        answer = await self.login(email, tenant=tenant)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def accept(
        self, invitation: str, password: str = PASSWORD, tenant: UUID | None = None
    ) -> Answer:
        body = {"token": invitation, "password": password}
        return await self.post(f"{_base(tenant)}/invitations/accept", body)

    async def refresh(self, token: str, tenant: UUID | None = None) -> Answer:
        return await self.post(f"{_base(tenant)}/sessions/refresh", {"refresh_token": token})

    async def operator(self, email: str = "root@platform.example") -> str:
        """The access token of the first operator, who is made where there is none."""
        if (await self.login(email)).status_code != 200:
            made = await invite_first_operator(self.db, email, self.clock())
            assert (await self.accept(made.token)).status_code == 200
        return str((await self.logged_in(email))["access_token"])

    async def tenant(self, email: str = "ada@a.example", level: int = 80) -> UUID:
        """A new tenant whose first user has joined."""
        tenant = uuid4()
        self.directory[tenant] = "active"
        invitation = await self.invite_first(tenant, email, level)
        assert (await self.accept(invitation, tenant=tenant)).status_code == 200
        return tenant

    async def invite_first(self, tenant: UUID, email: str, level: int = 80) -> str:
        body = {"tenant": str(tenant), "email": email, "level": level}
        answer = await self.post("/v1/invitations", body, await self.operator())
        assert answer.status_code == 201, answer.text
        return str(answer.json()["invitation"])

    async def join(self, tenant: UUID, email: str, level: int, token: str) -> UUID:
        """Invite by the holder of `token`, and accept."""
        body = {"email": email, "level": level}
        answer = await self.post(f"/t/{tenant}/v1/users/invitations", body, token)
        assert answer.status_code == 201, answer.text
        joined = await self.accept(answer.json()["invitation"], tenant=tenant)
        return UUID(joined.json()["user"])

    async def access(self, email: str, tenant: UUID | None = None) -> str:
        return str((await self.logged_in(email, tenant))["access_token"])

    async def lock_waits(self) -> int:
        """How many transactions wait for another one's locks."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        async with self.db.read() as session:
            mine = text(f"{query} AND datname = current_database()")
            return int(await session.scalar(mine))

    async def all_wait(self, count: int) -> None:
        """Return once so many requests are stopped by a lock that the test holds."""

        async def waiting() -> bool:
            return await self.lock_waits() == count

        await eventually(waiting)

    async def sweep(self) -> None:
        """What the timer does every minute."""
        await parts_of(self.app, AuthParts).known_tenants.sweep()

    async def outbox(self) -> list[dict[str, Any]]:
        """The notices that wait to be sent, oldest first."""
        async with self.db.read() as session:
            rows = await session.all(text("SELECT body FROM outbox ORDER BY seq"))
        return [json.loads(row["body"]) for row in rows]


@asynccontextmanager
async def running_auth(
    url: str, folder: Path, passwords: Passwords | None = None
) -> AsyncIterator[Auth]:
    db = Database(url)
    auth = Auth(db)
    auth.app = create_app(
        settings_in(folder, url),
        broker=auth.broker,
        list_tenants=auth.list_tenants,
        now=auth.clock,
        passwords=passwords or Passwords(cost_kib=8),
    )
    transport = httpx2.ASGITransport(auth.app, raise_app_exceptions=False)
    async with auth.app.router.lifespan_context(auth.app):
        async with httpx2.AsyncClient(transport=transport, base_url="http://auth") as client:
            auth.client = client
            yield auth
    await db.close()


def settings_in(folder: Path, url: str) -> AuthSettings:
    """Settings whose secrets lie in `folder`."""
    secrets = {
        "database_url": url,
        "amqp_url": "amqp://nobody:x@127.0.0.1:1/",
        "identity_key": SigningKey.generate().seed_base64url(),
        "identities": "{}",
        "signing_key": SigningKey.generate().seed_base64url(),
    }
    for name, secret in secrets.items():
        (folder / name).write_text(secret)
    return AuthSettings(
        port=1,
        auth_url="http://auth",
        tenants_url="http://127.0.0.1:1",
        database_url_file=folder / "database_url",
        amqp_url_file=folder / "amqp_url",
        identity_key_file=folder / "identity_key",
        identities_file=folder / "identities",
        signing_key_file=folder / "signing_key",
    )


def environment(settings: AuthSettings) -> dict[str, str]:
    """The same settings for a process of its own."""
    values = settings.model_dump(exclude_none=True).items()
    return {f"BULKHEAD_{name.upper()}": str(value) for name, value in values}


def _base(tenant: UUID | None) -> str:
    return "/v1/operators" if tenant is None else f"/t/{tenant}/v1"
