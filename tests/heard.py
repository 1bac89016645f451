"""Events that nobody reads yet are not sent: here somebody does, so that senders are tested."""

import pytest

from contracts.events import EVENTS


@pytest.fixture(autouse=True)
def every_event_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import this fixture into a conftest."""
    for event in EVENTS:
        if not event.readers:
            monkeypatch.setattr(event, "readers", ("test",))
