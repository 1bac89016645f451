"""How many connections there are: some stay for those who are named, and metrics go on."""

import asyncio
import contextlib
import ssl

import httpx2
import pytest

from tests.eventually import eventually
from tests.gateway.edge_parts import TENANT, EdgeUnderTest, MakeSettings, StartEdge

JWKS = "/.well-known/jwks.json"


async def is_let_in(edge: EdgeUnderTest, source: str) -> bool:
    try:
        return (await edge.call(JWKS, source=source)).status_code == 200
    except httpx2.TransportError:
        return False


async def connect(edge: EdgeUnderTest, source: str) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(
        "localhost", edge.settings.edge_port, ssl=edge.trust, local_addr=(source, 0)
    )
    return writer


async def test_when_strangers_hold_every_connection_the_reserved_addresses_still_come_in(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    settings = make_settings(
        max_connections=30, reserved_connections=10, reserved_ranges=("127.0.0.9/32",)
    )
    async with start_edge(settings) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        held = []
        with contextlib.suppress(OSError, ssl.SSLError):
            for _ in range(40):
                held.append(await connect(edge, "127.0.0.3"))
        assert 15 <= len(held) <= 20
        assert not await is_let_in(edge, "127.0.0.4")
        assert await is_let_in(edge, "127.0.0.9")
        for one in held:
            one.transport.abort()
        await eventually(lambda: is_let_in(edge, "127.0.0.4"))


@pytest.mark.parametrize("taken", ["reserved", "everybody"])
async def test_the_limit_of_all_connections_holds_for_everybody_but_metrics(
    make_settings: MakeSettings, start_edge: StartEdge, taken: str
) -> None:
    settings = make_settings(
        max_connections=12, reserved_connections=1, reserved_ranges=("127.0.0.9/32",)
    )
    source = "127.0.0.9" if taken == "reserved" else "127.0.0.3"
    async with start_edge(settings) as edge:
        held = []
        with contextlib.suppress(OSError, ssl.SSLError):
            for _ in range(20):
                held.append(await connect(edge, source))
        assert 8 <= len(held) <= 12
        assert not await is_let_in(edge, source)
        metrics = f"http://127.0.0.1:{settings.edge_metrics_port}/ready"
        async with httpx2.AsyncClient() as client:
            assert (await client.get(metrics)).status_code == 200
        for one in held:
            one.transport.abort()
