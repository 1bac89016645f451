"""A service is assembled with both verifiers; it is ready once it has auth's keys, auth at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from contracts import authorise
from contracts.assembly import assemble
from contracts.broker import BULKHEAD
from contracts.credentials import AccessVerifier, CallerVerifier, ServiceAuth
from contracts.settings import ServiceSettings
from kit import base64url
from kit.chassis import Made
from kit.http import parts_of, put
from kit.messaging.memory import MemoryBroker
from kit.problems import NotAuthenticated
from kit.sealing import SigningKey, VerifyKey, new_key
from kit.timers import Timer
from kit.tokens import KeySet
from tests.eventually import eventually
from tests.key_set import is_asked_for_again_and_again

ISSUER = "https://bulkhead"


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    """Auth is nowhere."""
    for name, text in {"url": "x", "key": base64url.encode(new_key()), "ids": "{}"}.items():
        (tmp_path / name).write_text(text)
    return ServiceSettings(
        port=1,
        database_url_file=tmp_path / "url",
        amqp_url_file=tmp_path / "url",
        identity_key_file=tmp_path / "key",
        identities_file=tmp_path / "ids",
        auth_url="http://127.0.0.1:1",
        tenants_url="http://127.0.0.1:1",
    )


async def pass_() -> None:
    return


def made(**parts: Any) -> Made:
    return Made(name="test", broker=MemoryBroker(), **parts)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


def own_keys(key: SigningKey) -> AccessVerifier:
    async def fetch() -> Mapping[str, VerifyKey]:
        return {"test": key.public}

    return AccessVerifier(KeySet(fetch), ISSUER)


async def test_without_auths_keys_a_service_is_not_ready_and_its_own_parts_stand(
    settings: ServiceSettings,
) -> None:
    ticked = asyncio.Event()

    async def tick() -> None:
        ticked.set()

    app = assemble(settings, made(timers=[Timer("test", 3600, tick)], needed={"own": pass_}))
    async with running(app) as client:
        ready = await client.get("/readyz")
        checks = ready.json()["checks"]
        assert (ready.status_code, checks["own"]) == (503, "ok")
        assert checks["keys"] != "ok"
        await asyncio.wait_for(ticked.wait(), 5)


async def test_the_keys_are_asked_for_again_and_then_it_is_ready(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorise, "REFRESH_KEYS_EVERY_S", 0.01)
    app = assemble(settings, made())
    async with running(app) as client:
        await is_asked_for_again_and_again(app)
        put(app, own_keys(SigningKey.generate()))

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(is_ready)


async def test_auth_is_ready_with_its_own_keys_and_believes_no_others(
    settings: ServiceSettings,
) -> None:
    own = own_keys(SigningKey.generate())
    app = assemble(settings, made(), access=own)
    async with running(app) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, "keys" in ready.json()["checks"]) == (200, False)
    assert parts_of(app, AccessVerifier) is own


def test_a_token_for_another_service_is_not_for_this_one(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    peer = SigningKey.generate()
    (tmp_path / "ids").write_text(f'{{"sync": "{peer.public.to_base64url()}"}}')
    callers = parts_of(assemble(settings, made()), CallerVerifier)
    assert callers.caller(ServiceAuth(peer, "sync", "test").token()) == "sync"
    with pytest.raises(NotAuthenticated):
        callers.caller(ServiceAuth(peer, "sync", "other").token())


def test_a_service_reads_the_queue_that_is_bound_for_it(settings: ServiceSettings) -> None:
    app = assemble(settings, made())
    assert parts_of(app, Made).queue == BULKHEAD.queue_of("test")
