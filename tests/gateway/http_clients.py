"""Clients that people have, as they are: curl, httpx2 and nghttp, over HTTP/1.1 and HTTP/2."""

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from ops.local import packages
from tests.gateway.edge_parts import EdgeUnderTest


@dataclass(frozen=True)
class Call:
    """A request; `body` is sent with a length."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    source: str = "127.0.0.1"


@dataclass(frozen=True)
class Seen:
    """What a client's user gets to see of an answer."""

    status: int
    headers: dict[str, str]
    text: str

    def document(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.text)
        return found


Client = Callable[[EdgeUnderTest, Call], Awaitable[Seen]]


def ensure_installed() -> None:
    """curl and nghttp as Debian has them."""
    for program, package in (("curl", "curl"), ("nghttp", "nghttp2-client")):
        packages.ensure(package, lambda name=program: shutil.which(name) is not None)  # type: ignore[misc]


def curl(version: str) -> Client:
    async def call(edge: EdgeUnderTest, asked: Call) -> Seen:
        command = ["curl", "--silent", "--show-error", "--include", "--max-time", "30", version]
        command += ["--cacert", str(edge.authority), "--request", asked.method]
        command += [
            "--interface",
            asked.source,
            "--suppress-connect-headers",
            "--header",
            "expect:",
        ]
        for name, value in asked.headers.items():
            command += ["--header", f"{name}: {value}"]
        if asked.body is not None:
            command += ["--data-binary", "@-"]
        output = await run([*command, edge.url + asked.path], asked.body or b"")
        head, _, text = output.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.splitlines()
        return Seen(int(first.split()[1]), _headers(lines), text)

    return call


def httpx(*, http2: bool) -> Client:
    async def call(edge: EdgeUnderTest, asked: Call) -> Seen:
        transport = httpx2.AsyncHTTPTransport(
            verify=edge.trust, http2=http2, http1=not http2, local_address=asked.source
        )
        async with httpx2.AsyncClient(
            transport=transport, base_url=edge.address, timeout=30
        ) as client:
            answer = await client.request(
                asked.method, asked.path, headers=dict(asked.headers), content=asked.body
            )
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            return Seen(answer.status_code, dict(answer.headers), answer.text)

    return call


async def nghttp(edge: EdgeUnderTest, asked: Call) -> Seen:
    """It cannot choose the address that it calls from, and shows the answer among its frames."""
    assert asked.source == "127.0.0.1"
    command = ["nghttp", "--verbose", "--no-dep", "--timeout=30", "-H", f":method: {asked.method}"]
    for name, value in asked.headers.items():
        command += ["-H", f"{name}: {value}"]
    if asked.body is not None:
        body = Path(edge.settings.edge_dir) / "body"
        body.write_bytes(asked.body)
        command += ["--data", str(body)]
    output = await run([*command, edge.url + asked.path])
    received = re.findall(r"recv \(stream_id=\d+\) (:?[\w-]+): (.*)", output)
    headers = {name: value.strip() for name, value in received}
    text = re.search(r"^\{.*\}$", output, re.MULTILINE)
    return Seen(int(headers[":status"]), headers, text[0] if text else "")


CLIENTS: dict[str, Client] = {
    "curl-1.1": curl("--http1.1"),
    "curl-2": curl("--http2"),
    "httpx2-1.1": httpx(http2=False),
    "httpx2-2": httpx(http2=True),
    "nghttp-2": nghttp,
}


async def run(command: list[str], given: bytes = b"") -> str:
    """What a command prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(given)
    assert process.returncode == 0, (command[0], process.returncode, errors.decode()[-300:])
    return output.decode()


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}
