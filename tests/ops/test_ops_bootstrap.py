"""The superuser's only work may be cut off anywhere and run again."""

import secrets

import asyncpg
import pytest

from ops import bootstrap
from ops.local.postgres import LocalPostgres
from tests.ports import PORTS

READABLE = "SELECT has_table_privilege('public', 'pg_catalog.pg_shdepend', 'SELECT')"


@pytest.fixture
async def server(scratch):
    server = LocalPostgres(scratch / f"pg-{secrets.token_hex(4)}", PORTS.free(), extra="fsync=off")
    await server.start()
    yield server
    server.stop()


async def is_readable_in_a_copy(url: str) -> bool:
    """Whether a database made from the empty template shows what hardening closes."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE copy TEMPLATE {bootstrap.EMPTY_TEMPLATE}")
    await connection.close()
    inside = await asyncpg.connect(url, database="copy")
    found = await inside.fetchval(READABLE)
    await inside.close()
    return bool(found)


async def test_a_bootstrap_that_was_cut_off_before_the_hardening_hardens_when_it_runs_again(
    server, tmp_path, monkeypatch
):
    passwords = {name: secrets.token_urlsafe(8) for name in (*bootstrap.SERVICES, "relay")}
    broken = tmp_path / "hardening.sql"
    broken.write_text("SELECT 1 / 0")
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "_HARDENING", broken)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await bootstrap.bootstrap(server.superuser_url, passwords)
    await bootstrap.bootstrap(server.superuser_url, passwords)
    assert not await is_readable_in_a_copy(server.superuser_url)
    await bootstrap.bootstrap(server.superuser_url, passwords)  # and once more changes nothing
