"""Auth with a database of its own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from contracts.events import EVENTS
from tests.services.auth.running_auth import Auth, running_auth


@pytest.fixture
async def auth(service_db: Callable[[str], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Auth]:
    async with running_auth(await service_db("auth"), tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def somebody_reads_what_auth_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody reads is not sent: with a reader each notice is seen in the outbox."""
    for event in EVENTS:
        if event.topic.startswith("auth."):
            monkeypatch.setattr(event, "readers", ("audit",))
