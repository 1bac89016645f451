"""Read by id and bulk upsert against the same routes written the usual way; prints the ratios.

Run it with `python -m bench.records`. Both servers run on one PostgreSQL, in turns, for a few
seconds each: compare the two columns of one run, never figures of different runs.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

from bench.records_apps import Setting
from contracts.access import Grants, Scope
from contracts.credentials import ACCESS_AUDIENCE, Actor, claims_of
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import PERMISSIONS
from kit.migrate import migrate
from kit.sealing import SigningKey
from kit.tokens import Signer
from ops.bootstrap import SERVICES, bootstrap
from ops.local.ports import Ports
from ops.local.postgres import LocalPostgres
from tenantdb import names, provision, template
from tenantdb.cluster import Cluster

ROUNDS, SECONDS = 3, 2.0
ROWS, READERS, WRITERS = 1000, 32, 2
_ISSUER = "https://bench"
_PORTS = Ports()
_MIGRATIONS = Path(__file__).parents[1] / "services" / "tenants" / "migrations"


@dataclass
class Side:
    """One of the two servers."""

    name: str
    port: int
    media_type: str
    token: str
    tenant: str

    def get(self, record: str) -> bytes:
        return self._request("GET", f"/{record}", b"")

    def bulk(self, body: bytes) -> bytes:
        return self._request("POST", "/bulk", body)

    def _request(self, method: str, path: str, body: bytes) -> bytes:
        head = (
            f"{method} /t/{self.tenant}/v1/records/organisation{path} HTTP/1.1\r\n"
            f"host: localhost\r\nauthorization: Bearer {self.token}\r\n"
            f"content-type: {self.media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        Path(folder).chmod(0o711)
        server = LocalPostgres(Path(folder) / "pg", _PORTS.free())
        await server.start()
        try:
            async with _sides(server, Path(folder)) as (ours, usual):
                await _compare(ours, usual)
        finally:
            server.stop()


async def _compare(ours: Side, usual: Side) -> None:
    changing = _bodies()
    await _once(ours, ours.bulk(_ndjson(next(changing))))
    ids = await _ids(ours)
    print(f"{'':28}{'ours':>12}{'usual':>12}{'ratio':>9}")
    await _line("read by id, requests/s", ours, usual, READERS, lambda s: _reads(s, ids), 1)
    await _line("bulk upsert, rows/s", ours, usual, WRITERS, lambda s: _writes(s, changing), ROWS)


async def _line(
    title: str,
    ours: Side,
    usual: Side,
    clients: int,
    requests: Callable[[Side], Iterator[bytes]],
    weight: int,
) -> None:
    """Measure in turns and print the medians."""
    rates: dict[str, list[float]] = {ours.name: [], usual.name: []}
    for _ in range(ROUNDS):
        for side in (ours, usual):
            done = await _load(side, clients, requests(side))
            rates[side.name].append(done * weight)
    mine, theirs = median(rates[ours.name]), median(rates[usual.name])
    print(f"{title:28}{mine:12,.0f}{theirs:12,.0f}{mine / theirs:8.1f}x")


async def _load(side: Side, clients: int, requests: Iterator[bytes]) -> float:
    """Answers a second over `clients` connections; a refused request ends the benchmark."""
    end = time.monotonic() + SECONDS
    begun = time.monotonic()
    counts = await asyncio.gather(*(_client(side.port, requests, end) for _ in range(clients)))
    return sum(counts) / (time.monotonic() - begun)


async def _client(port: int, requests: Iterator[bytes], end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    count = 0
    try:
        while time.monotonic() < end:
            await _ask(reader, writer, next(requests))
            count += 1
    finally:
        writer.close()
    return count


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 20"):
        raise RuntimeError(f"refused: {head[:60]!r} {body[:300]!r}")
    return body


async def _once(side: Side, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port, limit=1 << 22)
    try:
        return await _ask(reader, writer, request)
    finally:
        writer.close()


async def _ids(side: Side) -> list[str]:
    request = side.get("?limit=500").replace(b"organisation/?", b"organisation?", 1)
    return [one["id"] for one in json.loads(await _once(side, request))["records"]]


def _reads(side: Side, ids: Sequence[str]) -> Iterator[bytes]:
    while True:
        yield from (side.get(one) for one in ids)


def _writes(side: Side, changing: Iterator[list[dict[str, object]]]) -> Iterator[bytes]:
    """Bodies in which every row has changed, in the form that each side takes."""
    for rows in changing:
        yield side.bulk(_ndjson(rows) if side.name == "ours" else json.dumps(rows).encode())


def _ndjson(rows: list[dict[str, object]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def _bodies() -> Iterator[list[dict[str, object]]]:
    turn = 0
    while True:
        turn += 1
        yield [
            {
                "key": f"K{number}",
                "fields": {
                    "symbol": f"K{number}",
                    "name": f"Organisation {number} in turn {turn}",
                    "sector": "Industrials",
                    "sub_industry": "Industrial Conglomerates",
                    "headquarters": "Saint Paul, Minnesota",
                    "date_added": "1957-03-04",
                    "cik": "66740",
                    "founded": "1902",
                },
            }
            for number in range(ROWS)
        ]


@contextlib.asynccontextmanager
async def _sides(server: LocalPostgres, folder: Path) -> AsyncIterator[tuple[Side, Side]]:
    """One tenant's database and both servers on it."""
    key = SigningKey.generate()
    setting = await _provision(server, key)
    token = _token(key, TenantId(setting.tenant))
    sides, processes = [], []
    try:
        for name, media_type in (("ours", "application/x-ndjson"), ("usual", "application/json")):
            port = _PORTS.free()
            file = folder / f"{name}.json"
            file.write_text(setting.model_copy(update={"port": port}).model_dump_json())
            file.chmod(0o600)
            processes.append(_serve(name, file))
            sides.append(Side(name, port, media_type, token, str(setting.tenant)))
            await _await_port(port)
        yield sides[0], sides[1]
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)


async def _provision(server: LocalPostgres, key: SigningKey) -> Setting:
    passwords = {name: names.password() for name in (*SERVICES, "relay")}
    await bootstrap(server.superuser_url, passwords)
    control = server.url("bulkhead_tenants", passwords["tenants"])
    await migrate(control, _MIGRATIONS)
    cluster = Cluster(control)
    await template.build(cluster)
    database, secret, tenant = names.database_name(), names.password(), TenantId(uuid4())
    await provision.create(cluster, database, tenant, names.verifier(secret))
    return Setting(
        tenant=tenant,
        host="127.0.0.1",
        db_port=server.port,
        database=database,
        password=secret,
        control_url=control,
        public_key=key.public.to_base64url(),
        issuer=_ISSUER,
        port=0,
    )


def _token(key: SigningKey, tenant: TenantId) -> str:
    grants = Grants(PERMISSIONS, dict.fromkeys(PERMISSIONS, Scope.ALL))
    actor = Actor("tenant", UserId(uuid4()), tenant, SessionId(uuid4()), 80, grants)
    now = int(time.time())
    times = {"iss": _ISSUER, "aud": ACCESS_AUDIENCE, "iat": now, "exp": now + 300}
    return Signer(key, "bench").sign(claims_of(actor, 1) | times)


def _serve(name: str, file: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.records_apps", name, str(file)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _await_port(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
