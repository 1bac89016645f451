"""Tokens are judged by the key set that auth publishes now, not by that of the start."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI

from contracts import authorise
from gateway.app import create_app
from kit.messaging.memory import MemoryBroker
from kit.sealing import SigningKey
from tests import key_set
from tests.gateway.edge_parts import MakeSettings


@pytest.fixture
async def admin_api(
    make_settings: MakeSettings,
    service_db: Callable[[str], Awaitable[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[FastAPI]:
    """The control plane alone: no Envoy, no other service."""
    monkeypatch.setattr(authorise, "REFRESH_KEYS_EVERY_S", 0.02)
    settings = make_settings()
    settings.database_url_file.write_text(await service_db("gateway"))
    settings.identities_file.write_text("{}")
    settings.identity_key_file.write_text(SigningKey.generate().seed_base64url())
    app = create_app(settings, broker=MemoryBroker())
    async with app.router.lifespan_context(app):
        yield app


async def test_the_key_set_of_gateway_is_refreshed(admin_api: FastAPI) -> None:
    await key_set.is_asked_for_again_and_again(admin_api)


async def test_gateway_is_not_ready_without_a_key_set(admin_api: FastAPI) -> None:
    await key_set.is_missed_by_readiness(admin_api)
