"""A collector that is slow, dead or hostile costs spans, and nothing else."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import httpx2
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from kit import telemetry
from ops.programs import METRICS_OFFSET
from tests.eventually import eventually
from tests.otlp_collector import Collector, collecting
from tests.recorded import AT_ONCE, environment, recorded

QUEUE = 64
SMALL = {"OTEL_BSP_MAX_QUEUE_SIZE": str(QUEUE), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("bulkhead_spans_total", {"outcome": outcome}) or 0.0


async def test_a_collector_that_hangs_holds_up_nobody_and_no_more_than_a_queue_waits() -> None:
    made = counted("made")
    with recorded(**SMALL) as collector:
        collector.hang()
        for number in range(10 * QUEUE):
            with telemetry.trace("work"), telemetry.span("part", rows=number):
                pass
        await eventually(lambda: collector.asked == 1)
        assert counted("made") - made == 20 * QUEUE
        collector.goes_on.set()
    # what was under way when it hung, and what waited then
    assert 0 < len(collector.spans) <= QUEUE + 8


async def test_the_end_waits_for_no_collector_that_hangs() -> None:
    with collecting() as collector, patch.dict(os.environ, environment(collector)):
        stop = telemetry.start("test", "9.9.9")
        collector.hang()
        with telemetry.trace("work"):
            pass
        await eventually(lambda: collector.asked == 1)
        ending = threading.Thread(target=stop, daemon=True)
        ending.start()
        await eventually(lambda: not ending.is_alive(), 9.0)  # before the exporter's own time-out
        assert collector.spans == []


async def test_what_a_dead_collector_does_not_take_is_counted() -> None:
    lost = counted("failed")
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **AT_ONCE}
    with patch.dict(os.environ, nowhere | {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"}):
        stop = telemetry.start("test", "9.9.9")
    with telemetry.trace("work"):
        pass
    await eventually(lambda: counted("failed") == lost + 1)
    stop()


async def test_no_proxy_and_no_password_of_this_machine_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with recorded() as collector:
        with telemetry.trace("work"):
            pass
        await eventually(lambda: collector.heads)
    assert "authorization" not in collector.heads[0].lower()


class Relay:
    """A program as it is served, with an outbox and a broker that are not there."""

    def __init__(self, folder: Path, port: int, said: dict[str, str]) -> None:
        self.metrics = f"http://127.0.0.1:{port + METRICS_OFFSET}/metrics"
        (folder / "urls").mkdir()
        (folder / "urls" / "sync").write_text("postgresql://x:x@127.0.0.1:1/x\n")
        (folder / "amqp").write_text("amqp://a:b@127.0.0.1:1/")
        settings = {
            "PATH": os.environ["PATH"],
            "BULKHEAD_PORT": str(port),
            "BULKHEAD_METRICS_PORT": str(port + METRICS_OFFSET),
            "BULKHEAD_OUTBOX_URLS_DIR": str(folder / "urls"),
            "BULKHEAD_AMQP_URL_FILE": str(folder / "amqp"),
            "BULKHEAD_DRAIN_S": "0",
        }
        self.log = folder / "log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "services.relay"]
            self.process = subprocess.Popen(command, env=settings | said, stdout=log, stderr=log)
        self.url = f"http://127.0.0.1:{port}"

    async def answers(self, path: str = "/nothing") -> bool:
        async with httpx2.AsyncClient() as client:
            try:
                return (await client.get(f"{self.url}{path}")).status_code in (200, 404)
            except httpx2.TransportError:
                return False

    async def made(self) -> float:
        async with httpx2.AsyncClient() as client:
            text = (await client.get(self.metrics)).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "bulkhead_spans_total" and sample.labels["outcome"] == "made"
        )


async def test_a_program_records_by_its_environment_and_ends_beside_a_collector_that_hangs(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with collecting() as collector:
        relay = Relay(tmp_path, free_port(), environment(collector))
        try:
            await eventually(relay.answers)
            await eventually(lambda: collector.named("GET unmatched"))
            assert {one.service for one in collector.spans} == {"relay"}
            await _hang(collector, relay)
        finally:
            relay.process.send_signal(signal.SIGTERM)
            relay.process.wait(9)
        assert "opentelemetry" not in relay.log.read_text()


async def test_fastapi_tells_nothing_of_its_own_whatever_the_environment_says(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Its spans and log records carry query strings, refused inputs and the texts of errors."""
    with collecting() as collector:
        said = environment(collector) | {"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}
        relay = Relay(tmp_path, free_port(), said)
        try:
            await eventually(lambda: relay.answers("/hunter2"))
            await eventually(lambda: collector.named("GET unmatched"))
        finally:
            relay.process.send_signal(signal.SIGTERM)
            relay.process.wait(20)
    assert {one.service for one in collector.spans} == {"relay"}
    assert {head.split("\n")[0] for head in collector.heads} == {"/v1/traces"}
    assert b"hunter2" not in b"".join(collector.raw)


async def _hang(collector: Collector, relay: Relay) -> None:
    """Requests go on while it hangs."""
    collector.hang()
    asked, made = collector.asked, await relay.made()
    for _ in range(5):
        assert await relay.answers()
    await eventually(lambda: collector.asked > asked)
    for _ in range(5):
        assert await relay.answers()
    assert await relay.made() == made + 10


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "hunter2"}, "endpoint"),
        ({"OTEL_TRACES_EXPORTER": "hunter2"}, "OTEL_TRACES_EXPORTER"),
    ],
)
def test_a_program_that_is_asked_for_what_cannot_be_says_so(
    tmp_path: Path, said: dict[str, str], named: str
) -> None:
    relay = Relay(tmp_path, 1, said)
    assert relay.process.wait(60) == 2
    text = relay.log.read_text()
    assert named in text
    assert "Traceback" not in text
    assert "hunter2" not in text
