"""`python -m <program> migrate --phase pre|post` as processes, for every program with a database:
an empty one and one of yesterday become the same, and a second run changes nothing."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kit import base64url
from kit.ending import UNREACHABLE, USAGE
from kit.migrate import apply, files
from kit.sealing import new_key
from ops.bootstrap import role_of
from ops.programs import PROGRAMS, Places, environment

ROOT = Path(__file__).parents[2]
WITH_DATABASE = [name for name, program in PROGRAMS.items() if program.migrates]
TWO_KINDS = ["auth", "tenants"]  # with a control database alone, and with more
AMQP = "amqp://x:x@127.0.0.1:1/"
MORE = {"998_pre_more": "CREATE TABLE more_pre ()", "999_post_more": "CREATE TABLE more_post ()"}
_WITH_MIGRATIONS = """
import sys
from importlib import import_module
from pathlib import Path
main = import_module(f"{sys.argv.pop(1)}.__main__")
main.MIGRATIONS = Path(sys.argv.pop(1))
main.main()
"""
_COLUMNS = """SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"""
_LEDGER = "SELECT name, sha256, applied_at FROM schema_migration ORDER BY name"


def migrations_of(name: str) -> Path:
    return ROOT / PROGRAMS[name].module.replace(".", "/") / "migrations"


class Installed:
    """The settings of one program, and its databases of this test."""

    def __init__(self, name: str, folder: Path, make: Callable[[str], Awaitable[str]]) -> None:
        self.name, self.module, self._folder, self._make = name, PROGRAMS[name].module, folder, make

    async def database(self) -> str:
        """The address of an empty one."""
        return await self._make(self.name)

    def settings(self, url: str) -> dict[str, str]:
        texts = {"database_url": url, "amqp_url": AMQP, "identities.json": "{}", "tls.crt": "x"}
        keys = ("identity_key", "signing_key", "manifest_key", "kek")
        texts |= {key: base64url.encode(new_key()) for key in keys}
        for file, text in texts.items():
            (self._folder / file).write_text(text)
            (self._folder / file).chmod(0o600)
        places = Places(
            host="127.0.0.1",
            url=lambda _peer: "http://127.0.0.1:1",
            port=lambda _name: 1,
            secrets=lambda _name: self._folder,
            state=self._folder / "state",
        )
        values = environment(PROGRAMS[self.name], places)
        if self.name == "gateway":
            edge = {name: str(self._folder / "tls.crt") for name in ("", "_KEY")}
            values |= {f"BULKHEAD_CERTIFICATE{name}_FILE": file for name, file in edge.items()}
            values |= {"BULKHEAD_EDGE_DIR": "/nowhere", "BULKHEAD_GLOBAL_RANGES": '["::/0"]'}
        return values

    def migrate(self, url: str, *words: str, migrations: Path | None = None) -> None:
        code, said = self.try_to_migrate(url, *words, migrations=migrations)
        assert code == 0, said

    def try_to_migrate(
        self, url: str, *words: str, migrations: Path | None = None
    ) -> tuple[int, str]:
        """The command in a process of its own, with other migrations where some are named: its
        exit code and its error output."""
        command = ["-m", self.module, "migrate", *words]
        if migrations is not None:
            command = ["-c", _WITH_MIGRATIONS, self.module, str(migrations), "migrate", *words]
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | self.settings(url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stderr


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def applied(url: str) -> list[str]:
    return [str(row[0]) for row in await rows(url, _LEDGER)]


@pytest.fixture(params=WITH_DATABASE)
async def program(
    request: pytest.FixtureRequest, cluster: Any, tmp_path: Path
) -> AsyncIterator[Installed]:
    made: list[str] = []

    async def make(service: str) -> str:
        name = f"{role_of(service)}_{secrets.token_hex(4)}"
        await cluster.execute(f"CREATE DATABASE {name} OWNER {role_of(service)} TEMPLATE template0")
        made.append(cluster.url(service, name))
        return made[-1]

    yield Installed(request.param, tmp_path, make)
    for url in made:
        await cluster.drop(url)


async def test_an_empty_database_and_one_of_yesterday_become_the_same_and_stay_so(
    program: Installed,
) -> None:
    every = files(migrations_of(program.name))
    empty, yesterday = await program.database(), await program.database()
    connection = await asyncpg.connect(yesterday)
    await apply(connection, every[:-1])
    await connection.close()
    before = await rows(yesterday, _LEDGER)
    for url in (empty, yesterday):
        for phase in ("pre", "post"):
            program.migrate(url, "--phase", phase)
        assert await applied(url) == [path.name for path in every]
    assert before == (await rows(yesterday, _LEDGER))[: len(before)]
    assert await rows(empty, _COLUMNS) == await rows(yesterday, _COLUMNS)
    once = await rows(empty, _LEDGER)
    program.migrate(empty)
    assert await rows(empty, _LEDGER) == once


async def test_each_phase_applies_its_own_migrations_and_leaves_the_others(
    program: Installed, tmp_path: Path
) -> None:
    tomorrow, url = tmp_path / "tomorrow", await program.database()
    shutil.copytree(migrations_of(program.name), tomorrow)
    for name, sql in MORE.items():
        (tomorrow / f"{name}.sql").write_text(sql)
    names = [path.name for path in files(tomorrow)]
    program.migrate(url, "--phase", "pre", migrations=tomorrow)
    assert await applied(url) == [path.name for path in files(tomorrow, "pre")]
    program.migrate(url, "--phase", "post", migrations=tomorrow)
    assert await applied(url) == names


@pytest.mark.parametrize("program", TWO_KINDS, indirect=True)
async def test_a_database_that_is_away_or_closed_is_one_sentence(
    program: Installed,
) -> None:
    url = await program.database()
    place = url.rpartition("@")[2].partition("/")[0]
    for wrong, words in {
        url.replace(place, "127.0.0.1:1"): "nothing listens there",
        url.replace("@", "x@"): "it refuses the login (password, role or pg_hba.conf)",
    }.items():
        said = f"{program.name} migrate failed: PostgreSQL: {words}\n"
        assert program.try_to_migrate(wrong) == (UNREACHABLE, said)


@pytest.mark.parametrize("program", TWO_KINDS, indirect=True)
async def test_a_migration_that_differs_from_what_was_applied_is_named(
    program: Installed, tmp_path: Path
) -> None:
    changed, url = tmp_path / "changed", await program.database()
    shutil.copytree(migrations_of(program.name), changed)
    first = files(changed)[0]
    program.migrate(url)
    before = await rows(url, _LEDGER)
    first.write_text(first.read_text() + "-- more\n")
    said = f"{program.name} migrate failed: {first.name} differs from what was applied\n"
    assert program.try_to_migrate(url, migrations=changed) == (USAGE, said)
    assert await rows(url, _LEDGER) == before


def test_every_program_with_migrations_is_among_these() -> None:
    found = {path.parent.name for path in ROOT.glob("*/migrations")}
    found |= {path.parent.name for path in ROOT.glob("services/*/migrations")}
    assert found - {"tenantdb"} == set(WITH_DATABASE)  # tenants migrates those too
