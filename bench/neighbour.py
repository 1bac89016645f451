"""A neighbour at its worst, as a process of its own: `python -m bench.neighbour ATTACK`, with where
and who as a JSON line on standard input. It says when it is under way, and goes on until killed."""

import asyncio
import json
import secrets
import ssl
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from bench import hostile_bodies
from ops.api import Api, Login

MIB = 1 << 20
ROWS = 20_000
SLOW, UPLOADERS, GUESSERS = 200, 4, 32


class Neighbour:
    """The noisy tenant's administrator, with every right in its own tenant."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._url, self._ca, self._tenant = given["url"], Path(given["ca"]), given["tenant"]
        self._login = Login(given["email"], given["password"], given["tenant"])
        self._numbers = count()

    async def run(self, name: str) -> None:
        attacks: dict[str, Callable[[Api], Awaitable[None]]] = {
            "csv": self._csv,
            "ndjson": self._ndjson,
            "bulk": self._bulk,
            "slow": self._slow,
            "login": self._guess,
        }
        async with Api(self._url, self._ca, self._login) as api:
            await api.log_in()
            print("under way", flush=True)
            await attacks[name](api)

    async def _csv(self, api: Api) -> None:
        bodies = [make(2 * MIB) for make in hostile_bodies.WORST_CSV]
        await self._upload(api, "import?key=symbol", hostile_bodies.CSV, lambda n: bodies[n % 5])

    async def _ndjson(self, api: Api) -> None:
        bodies = [make(8 * MIB) for make in hostile_bodies.WORST_NDJSON]
        await self._upload(api, "bulk", hostile_bodies.NDJSON, lambda n: bodies[n % 2])

    async def _bulk(self, api: Api) -> None:
        await self._upload(
            api, "bulk", hostile_bodies.NDJSON, lambda n: hostile_bodies.good_rows(ROWS, n * ROWS)
        )

    async def _upload(self, api: Api, to: str, kind: str, body: Callable[[int], bytes]) -> None:
        """Several at once, again and again, whatever the answers are."""

        async def one() -> None:
            while True:
                await _try(
                    api.raw(
                        "POST",
                        f"/t/{self._tenant}/v1/records/organisation/{to}",
                        content=body(next(self._numbers)),
                        headers={"content-type": kind},
                    )
                )

        await asyncio.gather(*(one() for _ in range(UPLOADERS)))

    async def _slow(self, _api: Api) -> None:
        """Login bodies that arrive a byte a second, on connections of their own."""
        await asyncio.gather(*(self._drip() for _ in range(SLOW)))

    async def _drip(self) -> None:
        parts = urlsplit(self._url)
        context = ssl.create_default_context(cafile=str(self._ca))
        head = (
            f"POST /t/{self._tenant}/v1/login HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            "content-type: application/json\r\ncontent-length: 600\r\n\r\n{"
        )
        while True:
            try:
                _, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
                writer.write(head.encode())
                for _ in range(590):
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(1)
            except OSError:
                await asyncio.sleep(0.2)

    async def _guess(self, api: Api) -> None:
        """Logins of names that do not exist."""

        async def one() -> None:
            while True:
                body = {"email": f"{secrets.token_hex(6)}@a.example.com", "password": "x" * 20}
                await _try(api.raw("POST", f"/t/{self._tenant}/v1/login", json=body))

        await asyncio.gather(*(one() for _ in range(GUESSERS)))


async def _try(sending: Awaitable[httpx2.Response]) -> None:
    try:
        await sending
    except httpx2.TransportError:
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(Neighbour(json.loads(sys.stdin.readline())).run(sys.argv[1]))
