"""What spans cost: CPU per request of the chassis, as it was before, off, sampled away, and on.

`python -m bench.traces`. One request through every layer of an app, with two parts of it as spans;
"without" is the same app with a chassis that gives a request a number for its log, no more. The
collector is a real one.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from unittest.mock import patch

import httpx2
from fastapi import APIRouter
from rich.console import Console
from rich.table import Table

from kit import chassis, logs, telemetry
from kit.chassis import Made
from kit.http import envelope
from kit.messaging.memory import MemoryBroker
from tests.otlp_collector import collecting

ROUNDS, REPEATS, PARTS, TURNS = 400, 9, 2, 5
WAYS = ("without", "off", "sampled away", "on")
router = APIRouter()


@router.get("/t/{tenant}/things")
async def things(tenant: str) -> dict[str, str]:
    for _ in range(PARTS):
        with telemetry.span("read tenant database", "client", system="postgresql", tenant=tenant):
            pass
    return {}


async def microseconds() -> float:
    """CPU time of this process per request, all of its threads: the median of several rounds."""
    app = chassis.build(Made(name="bench", broker=MemoryBroker(), routers=[router]))
    transport = httpx2.ASGITransport(app)
    times = []
    async with app.router.lifespan_context(app):
        async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
            for _ in range(REPEATS):
                begun = time.process_time()
                for _ in range(ROUNDS):
                    await client.get("/t/0198c0de-0000-7000-8000-000000000001/things")
                times.append((time.process_time() - begun) / ROUNDS)
    return median(times) * 1e6


@contextlib.contextmanager
def numbered(_scope: object, _headers: object) -> Iterator[telemetry.Span]:
    with telemetry.bind_trace(None):
        yield telemetry.Span()


@contextlib.contextmanager
def knowing_nothing() -> Iterator[None]:
    """A number is bound, and no span is asked for."""
    nothing = telemetry.Span()
    with (
        patch.object(envelope, "_traced", numbered),
        patch.object(envelope, "_tell", lambda *_: None),
        patch.object(telemetry, "span", lambda *_, **__: nothing),
    ):
        yield


def measured(way: str) -> float:
    logs.setup("bench", "WARNING")
    if way == "without":
        with knowing_nothing():
            return asyncio.run(microseconds())
    if way == "off":
        return asyncio.run(microseconds())
    stop = telemetry.start("bench", "0")
    try:
        return asyncio.run(microseconds())
    finally:
        stop()


def in_a_process(way: str, address: str) -> float:
    """Each way in a process of its own, turn and turn about: what one has loaded, and what else the
    machine does, would count for another."""
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_always_off"} if way == "sampled away" else {}
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": address} | sampler
    command = [sys.executable, "-m", "bench.traces", way]
    ended = subprocess.run(
        command, env=os.environ | said, capture_output=True, text=True, check=True
    )
    return float(json.loads(ended.stdout))


def main() -> None:
    with collecting() as collector:
        turns = [{way: in_a_process(way, collector.url) for way in WAYS} for _ in range(TURNS)]
    found = {way: min(turn[way] for turn in turns) for way in WAYS}
    table = Table(title=f"CPU per request with {1 + PARTS} spans")
    for column in ("traces", "µs", "ratio"):
        table.add_column(column, justify="left" if column == "traces" else "right")
    for way, cost in found.items():
        table.add_row(way, f"{cost:.0f}", f"{cost / found['without']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measured(sys.argv[1]))
    else:
        main()
