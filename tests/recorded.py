"""Spans of this test process, sent to a collector of the test's own."""

import contextlib
import os
from collections.abc import Iterator
from unittest.mock import patch

from kit import telemetry
from tests.otlp_collector import Collector, collecting

AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "20"}


def environment(collector: Collector) -> dict[str, str]:
    """What an operator sets, and a shorter delay."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **AT_ONCE}


@contextlib.contextmanager
def recorded(service: str = "test", **more: str) -> Iterator[Collector]:
    """Record from here on; at the end everything has been sent, unless the collector hangs."""
    with collecting() as collector:
        with patch.dict(os.environ, environment(collector) | more):
            stop = telemetry.start(service, "9.9.9")
        try:
            yield collector
        finally:
            stop()
