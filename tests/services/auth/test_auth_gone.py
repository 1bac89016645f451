"""Callers who hang up before their turn, as a restarted service meets them, cost no hash."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
from sqlalchemy import text

from kit import clock
from kit.db import Database
from services.auth.lockout import ClientClass
from services.auth.store import attempts
from tests.eventually import eventually
from tests.services.auth.auth_process import auth_process

CORES = os.cpu_count() or 1  # so many seats there are
# one seat is kept for a realm that holds none: the operators fill the others
SLOW = max(1, CORES - 1)


def body_for(name: str) -> dict[str, str]:
    return {"email": f"{name}@platform.example", "password": "violet tractor under nine moons"}


async def log_in(client: httpx2.AsyncClient, name: str) -> int:
    return (await client.post("/v1/operators/login", json=body_for(name))).status_code


async def hang_up(port: int, name: str) -> None:
    """A login whose caller closes the connection without waiting for the answer."""
    body = json.dumps(body_for(name)).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/operators/login HTTP/1.1\r\nhost: auth\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def reasons(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [one["reason"] for one in lines if one["message"] == "turned away unheard"]


async def waiting(db: Database) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with db.read() as session:
        return int(await session.scalar(text(f"{query} AND datname = current_database()")))


async def test_callers_who_hung_up_cost_no_hash_and_who_stays_is_heard(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    url, port, log = await service_db("auth"), free_port(), tmp_path / "log"
    db = Database(url)
    async with auth_process(url, tmp_path, port) as client:
        async with db.write() as session:
            for number in range(SLOW):
                email = body_for(f"slow{number}")["email"]
                name = attempts.name_of(None, email, ClientClass.UNKNOWN)
                await attempts.lock(session, name, clock.now())
            slow = [asyncio.create_task(log_in(client, f"slow{n}")) for n in range(SLOW)]
            await eventually(lambda: _all_wait(db))
            stays = asyncio.create_task(log_in(client, "stays"))
            for number in range(11):
                await hang_up(port, f"gone{number}")
            await eventually(lambda: len(reasons(log)) == 11)
        assert [await one for one in (*slow, stays)] == [401] * (SLOW + 1)
    assert reasons(log) == ["caller-gone"] * 11
    async with db.read() as reading:
        heard = await reading.scalar(text("SELECT count(*) FROM login_attempt"))
    assert heard == SLOW + 1
    await db.close()


async def _all_wait(db: Database) -> bool:
    return await waiting(db) == SLOW
