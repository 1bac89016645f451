"""Who reads an event is written once: the services' tables of handlers agree with the registry."""

import pytest
from fastapi import FastAPI

from contracts.events import EVENTS, READERS, topics_of
from kit.chassis import Made
from kit.http import parts_of
from ops.bootstrap import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_handles_what_the_registry_says_that_it_reads(
    apps: dict[str, FastAPI], service: str
) -> None:
    handled = set(parts_of(apps[service], Made).handlers)
    assert handled == {event for event in EVENTS if service in event.readers}
    assert topics_of(service) == tuple(sorted(event.topic for event in handled))


def test_every_reader_is_a_service() -> None:
    assert set(READERS) <= set(SERVICES)
