"""The only work of a superuser: roles, control databases and the hardened empty template.

Everything here may run again: it changes what differs and leaves the rest alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SERVICES = ("auth", "tenants", "sync", "backup", "gateway")
RELAY = "bulkhead_relay"
PROVISIONER = "bulkhead_tenants"
EMPTY_TEMPLATE = "bulkhead_empty"
GROUPS = ("bulkhead_tenant", "bulkhead_lease")
_VOLUME = Path(__file__).parents[1] / "tenantdb" / "volume.sql"
_HARDENING = Path(__file__).parents[1] / "tenantdb" / "hardening.sql"


def role_of(service: str) -> str:
    """The login role of a service; its control database has the same name."""
    return f"bulkhead_{service}"


async def bootstrap(superuser_url: str, passwords: Mapping[str, str]) -> None:
    """Make the cluster ready for the services.

    `passwords` names one for each of SERVICES and for "relay"; `superuser_url` is a superuser's,
    used for this alone: no service ever has it.
    """
    connection = await asyncpg.connect(superuser_url, timeout=10)
    try:
        for service in (*SERVICES, "relay"):
            await _make_login(connection, role_of(service), passwords[service])
        await connection.execute(f"ALTER ROLE {PROVISIONER} CREATEDB CREATEROLE")
        await _make_groups(connection)
        for service in SERVICES:
            await _make_database(connection, role_of(service), role_of(service))
            await connection.execute(f"GRANT CONNECT ON DATABASE {role_of(service)} TO {RELAY}")
        for shared in ("postgres", "template1"):
            await connection.execute(f"REVOKE ALL ON DATABASE {shared} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE postgres TO {PROVISIONER}")
        await _run_inside(superuser_url, PROVISIONER, _VOLUME)
        await _make_empty_template(connection, superuser_url)
    finally:
        await connection.close()


async def _make_login(connection: Connection, role: str, password: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOINHERIT")
    text = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute("SET log_statement = 'none'")
    await connection.execute(f"ALTER ROLE {role} PASSWORD {text}")


async def _make_groups(connection: Connection) -> None:
    for group in GROUPS:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", group):
            await connection.execute(f"CREATE ROLE {group} NOLOGIN")
        await connection.execute(
            f"GRANT {group} TO {PROVISIONER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
        )


async def _make_database(connection: Connection, database: str, owner: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        await connection.execute(f"CREATE DATABASE {database} OWNER {owner} TEMPLATE template0")
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")


async def _make_empty_template(connection: Connection, superuser_url: str) -> None:
    """Catalogue rights are per database and copied with it: harden once, in the template.

    It is marked as a template last, so one that is not was cut off half-way and is made again.
    """
    marked = "SELECT datistemplate FROM pg_database WHERE datname = $1"
    if await connection.fetchval(marked, EMPTY_TEMPLATE):
        return
    await connection.execute(f"DROP DATABASE IF EXISTS {EMPTY_TEMPLATE} WITH (FORCE)")
    await _make_database(connection, EMPTY_TEMPLATE, PROVISIONER)
    await _run_inside(superuser_url, EMPTY_TEMPLATE, _HARDENING)
    await connection.execute(
        f"ALTER DATABASE {EMPTY_TEMPLATE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
    )


async def _run_inside(superuser_url: str, database: str, file: Path) -> None:
    inside = await asyncpg.connect(superuser_url, database=database, timeout=10)
    try:
        await inside.execute(file.read_text())
    finally:
        await inside.close()
