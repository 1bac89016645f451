"""Tokens are judged by the key set that auth publishes now, not by that of the start."""

import httpx2
import pytest

from contracts import authorise
from kit import base64url
from kit.key_proof import WRONG
from kit.messaging.memory import MemoryBroker
from kit.sealing import new_key
from services.tenants.app import create_app
from services.tenants.settings import TenantsSettings
from tests import key_set
from tests.services.tenants.running_tenants import Suite


@pytest.fixture(autouse=True)
def _short_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorise, "REFRESH_KEYS_EVERY_S", 0.02)


async def test_the_key_set_of_tenants_is_refreshed(suite: Suite) -> None:
    await key_set.is_asked_for_again_and_again(suite.app)


async def test_tenants_is_not_ready_without_a_key_set(suite: Suite) -> None:
    await key_set.is_missed_by_readiness(suite.app)


async def test_under_another_kek_nothing_is_served_or_made_and_the_reason_is_said(
    settings: TenantsSettings, suite: Suite
) -> None:
    """Not for an installation that is older than its proof either."""
    await suite.tenant()
    rows = await suite.database.fetchval("SELECT count(*) FROM tenant")
    settings.kek_file.write_text(base64url.encode(new_key()))
    for older in (False, True):
        if older:
            await suite.database.execute("DELETE FROM key_proof")
        app = create_app(settings, broker=MemoryBroker())
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with app.router.lifespan_context(app):
            async with httpx2.AsyncClient(transport=transport, base_url="http://tenants") as client:
                assert (await client.get("/readyz")).json()["checks"]["start"] == WRONG
                refused = await client.post("/v1/tenants", json={"name": "Late Ltd"})
        assert (refused.status_code, refused.json()["detail"]) == (503, f"not started: {WRONG}")
    assert await suite.database.fetchval("SELECT count(*) FROM tenant") == rows
