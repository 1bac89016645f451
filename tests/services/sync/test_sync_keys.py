"""Tokens are judged by the key set that auth publishes now, not by that of the start."""

import pytest

from contracts import authorise
from tests import key_set
from tests.services.sync.running_sync import Sync


@pytest.fixture(autouse=True)
def _short_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorise, "REFRESH_KEYS_EVERY_S", 0.02)


async def test_the_key_set_of_sync_is_refreshed(sync: Sync) -> None:
    await key_set.is_asked_for_again_and_again(sync.app)


async def test_sync_is_not_ready_without_a_key_set(sync: Sync) -> None:
    await key_set.is_missed_by_readiness(sync.app)
