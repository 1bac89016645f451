"""Envoy's admin interface over its unix socket: which lists are in force, is it ready, drain."""

import asyncio
import contextlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

import httpx2

_VERSION = re.compile(
    r'^extension_config_discovery\.http_filter\.(.+)\.version_text: "(.*)"$', re.MULTILINE
)


class EnvoyAdmin:
    """A client for one Envoy; use it as an async context."""

    def __init__(self, socket: Path, *, timeout_s: float = 1.0) -> None:
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=str(socket)),
            base_url="http://envoy",
            timeout=timeout_s,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def is_serving(self, lists: Collection[str]) -> bool:
        """Ready, and with these lists in force: ready alone is what Envoy says even when it has
        refused the listener."""
        try:
            if (await self._client.get("/ready")).status_code != 200:
                return False
            versions = await self.list_versions()
        except httpx2.TransportError:
            return False
        return all(versions.get(name) for name in lists)

    async def list_versions(self) -> dict[str, str]:
        """List name -> version in force; raises httpx2.TransportError."""
        answer = await self._client.get("/stats", params={"filter": "version_text"})
        return dict(_VERSION.findall(answer.text))

    async def await_versions(self, wanted: Mapping[str, str], *, deadline_s: float) -> bool:
        """True once every wanted version is in force; at once False where nobody listens."""
        end = asyncio.get_running_loop().time() + deadline_s
        while asyncio.get_running_loop().time() < end:
            try:
                seen = await self.list_versions()
            except httpx2.TimeoutException:
                continue  # it is busy with the very lists that we wait for
            except httpx2.TransportError:
                return False
            if all(seen.get(name) == version for name, version in wanted.items()):
                return True
            await asyncio.sleep(0.01)
        return False

    async def drain(self) -> None:
        """Turn new work away politely: health checks fail, connections are closed after their
        requests. Nothing to do where nobody listens."""
        with contextlib.suppress(httpx2.TransportError):
            await self._client.post("/healthcheck/fail")
            await self._client.post("/drain_listeners?graceful&skip_exit")

    async def is_idle(self) -> bool:
        """No request is under way at the edge (or there is no edge)."""
        query = {"filter": r"^http\.edge\.downstream_rq_active$"}
        try:
            answer = await self._client.get("/stats", params=query)
        except httpx2.TimeoutException:
            return False
        except httpx2.TransportError:
            return True
        return all(line.endswith(": 0") for line in answer.text.splitlines())
