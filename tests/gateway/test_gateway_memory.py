"""As memory runs out the edge first refuses requests, then connections; metrics go on."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.envoy import bootstrap
from gateway.envoy.shapes import named
from kit.http.security_headers import SECURITY_HEADERS
from tests.eventually import eventually
from tests.gateway.edge_parts import (
    RECORDS,
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
)
from tests.gateway.http_clients import CLIENTS, Call, ensure_installed

HEAP = "envoy.resource_monitors.fixed_heap"
TOLD = "envoy.resource_monitors.injected_resource"


def told_by(file: Path, rendered: Any) -> Any:
    """The rendered bootstrap; a file says how full the heap is, everything else stays."""
    document = json.loads(json.dumps(rendered).replace(HEAP, TOLD))
    monitors = document["overload_manager"]["resource_monitors"]
    config = "envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig"
    others = [one for one in monitors if one["name"] != TOLD]
    monitors[:] = [*others, named(TOLD, config, filename=str(file))]
    return document


def say(file: Path, share: float) -> None:
    new = file.with_suffix(".new")
    new.write_text(str(share))
    os.replace(new, file)


@pytest.fixture
async def edge(
    make_settings: MakeSettings, start_edge: StartEdge, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EdgeUnderTest]:
    ensure_installed()
    settings, real = make_settings(), bootstrap.render
    say(settings.edge_dir / "heap", 0.5)
    monkeypatch.setattr(
        bootstrap, "render", lambda given: told_by(given.edge_dir / "heap", real(given))
    )
    async with start_edge(settings) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        yield edge
        say(settings.edge_dir / "heap", 0.5)


async def acts(edge: EdgeUnderTest, action: str, state: int) -> bool:
    return await edge.stat(f"overload.envoy.overload_actions.{action}.active") == state


async def metrics_status(edge: EdgeUnderTest) -> int:
    async with httpx2.AsyncClient() as client:
        url = f"http://127.0.0.1:{edge.settings.edge_metrics_port}/metrics"
        return (await client.get(url)).status_code


async def test_requests_are_refused_as_busy_and_taken_again(edge: EdgeUnderTest) -> None:
    heap = edge.settings.edge_dir / "heap"
    asked = Call(RECORDS, headers={"authorization": f"Bearer {edge.token(TENANT)}"})
    say(heap, 0.94)
    await eventually(lambda: acts(edge, "shrink_heap", 1))
    assert (await edge.call(asked.path, edge.token(TENANT))).status_code == 200
    say(heap, 0.96)
    await eventually(lambda: acts(edge, "stop_accepting_requests", 1))
    for client in CLIENTS.values():
        seen = await client(edge, asked)
        assert seen.status == 503
        assert seen.headers["retry-after"] == "1"
        assert len(seen.headers["x-request-id"]) == 36
        assert seen.document()["type"] == "/problems/server-busy"
        assert seen.headers.items() >= {**SECURITY_HEADERS, "cache-control": "no-store"}.items()
    assert await metrics_status(edge) == 200
    say(heap, 0.5)
    await eventually(lambda: acts(edge, "stop_accepting_requests", 0))
    assert (await edge.call(asked.path, edge.token(TENANT))).status_code == 200


async def test_connections_wait_and_metrics_go_on(edge: EdgeUnderTest) -> None:
    say(edge.settings.edge_dir / "heap", 0.99)
    await eventually(lambda: acts(edge, "stop_accepting_connections", 1))
    assert await metrics_status(edge) == 200


async def test_the_heap_is_measured_against_the_setting(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    async with start_edge(make_settings(edge_memory_mib=64)) as edge:

        async def is_seen() -> bool:
            return await edge.stat(f"overload.{HEAP}.pressure") > 1

        await eventually(is_seen)
