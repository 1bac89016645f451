"""A real Envoy over TLS on the rendered files, in front of real small upstreams."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from gateway.edge import publish_static
from gateway.public_paths import UPSTREAMS
from gateway.settings import GatewaySettings
from kit import base64url
from kit.sealing import SigningKey, new_key
from ops.local import certificates
from ops.local.certificates import ServerCertificate
from ops.local.envoy import LocalEnvoy
from tests.gateway.edge_parts import (
    HERE,
    OTHER,
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
    Upstreams,
    serving,
)
from tests.heard import every_event_is_heard

__all__ = ["every_event_is_heard"]


@pytest.fixture(scope="session")
def server_certificate(scratch: Path) -> ServerCertificate:
    return certificates.ensure(scratch / "certificates")


@pytest.fixture(scope="session")
def make_settings(
    scratch: Path, free_port: Callable[[], int], server_certificate: ServerCertificate
) -> MakeSettings:
    """Settings on free ports and a fresh folder; arguments replace what they name."""
    count = iter(range(1000))

    def make(**other: Any) -> GatewaySettings:
        folder = scratch / f"edge{next(count)}"
        folder.mkdir(mode=0o700)
        usual: dict[str, Any] = {
            "port": free_port(),
            "edge_dir": folder,
            "edge_port": free_port(),
            "edge_metrics_port": free_port(),
            "certificate_file": server_certificate.certificate,
            "certificate_key_file": server_certificate.key,
            "global_ranges": ("127.0.0.0/8",),
            "access_log": folder / "access.log",
            "client_requests_per_s": 10_000,
            "tenant_requests_per_s": 10_000,
        }
        files = ("database_url", "amqp_url", "identity_key", "identities")
        for name in files:
            (folder / name).write_text(
                "{}" if name == "identities" else base64url.encode(new_key())
            )
        usual |= {f"{name}_file": folder / name for name in files}
        usual |= {f"{name}_url": f"http://127.0.0.1:{free_port()}" for name in UPSTREAMS}
        return GatewaySettings(**usual | other)

    return make


@pytest.fixture(scope="session")
def start_edge(server_certificate: ServerCertificate) -> StartEdge:
    """`async with start_edge(settings)`: upstreams and Envoy for as long as the block lasts.

    `without` names services that are away, `shorter` replaces times in the rendered listener.
    """

    @contextlib.asynccontextmanager
    async def start(
        settings: GatewaySettings,
        without: Sequence[str] = (),
        shorter: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[EdgeUnderTest]:
        upstreams = Upstreams({name: settings.upstream(name)[1] for name in UPSTREAMS})
        key = SigningKey.generate()
        upstreams.keys.append(key)
        trust = ssl.create_default_context(cafile=str(server_certificate.authority))
        log = settings.edge_dir / "envoy.log"
        publish_static(settings)
        _shorten(settings.edge_dir / "lds.json", shorter)
        envoy = LocalEnvoy(settings.edge_dir, log)
        async with contextlib.AsyncExitStack() as stack:
            for name, port in upstreams.ports.items():
                if name not in without:
                    await stack.enter_async_context(serving(upstreams.app(name), port))
            await envoy.start()
            stack.push_async_callback(envoy.stop)
            edge = EdgeUnderTest(settings, upstreams, trust, key, log, server_certificate.authority)
            await _key_set_is_loaded(edge)
            yield edge

    return cast(StartEdge, start)


def _shorten(file: Path, times: Mapping[str, str]) -> None:
    """What takes half a minute takes a second; everything else is as rendered."""
    text = file.read_text()
    for long, short in times.items():
        assert long in text
        text = text.replace(long, short)
    file.write_text(text)


async def _key_set_is_loaded(edge: EdgeUnderTest) -> None:
    deadline = time.monotonic() + 10
    while (await edge.call("/v1/me", edge.token(None))).status_code == 401:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
async def _running_edge(
    make_settings: MakeSettings, start_edge: StartEdge
) -> AsyncIterator[EdgeUnderTest]:
    async with start_edge(make_settings()) as edge:
        yield edge


@pytest.fixture
async def edge(_running_edge: EdgeUnderTest) -> EdgeUnderTest:
    """One Envoy for all tests; each begins with TENANT and OTHER open to this machine."""
    await _running_edge.set_lists({TENANT: [HERE], OTHER: [HERE]})
    _running_edge.upstreams.seen.clear()
    return _running_edge
