"""The service as a whole: closed by default, its schema as written, its command line."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from services.auth.app import create_app
from services.auth.tables import metadata
from tests.services.auth.auth_process import auth_process
from tests.services.auth.running_auth import (
    PASSWORD,
    Auth,
    environment,
    running_auth,
    settings_in,
)

CLOSED = [
    ("POST", "/v1/invitations"),
    ("POST", "/t/{tenant}/v1/users/invitations"),
    ("GET", "/t/{tenant}/v1/users"),
    ("PUT", "/t/{tenant}/v1/users/{user}/level"),
    ("DELETE", "/t/{tenant}/v1/users/{user}/lockout"),
    ("DELETE", "/v1/operators/{user}/lockout"),
    ("GET", "/v1/me"),
    ("POST", "/v1/logout"),
]
OPEN = {
    "/v1/operators/login",
    "/v1/operators/invitations/accept",
    "/v1/operators/sessions/refresh",
    "/t/{tenant}/v1/login",
    "/t/{tenant}/v1/invitations/accept",
    "/t/{tenant}/v1/sessions/refresh",
    "/.well-known/jwks.json",
}
BODIES = [
    b'{"a":1',
    b'{"email":"a@b.c","email":"a@b.c"}',
    b'{"email":"a\\u0000@b.c"}',
    b'{"email":"\\ud800"}',
    b'{"level":NaN}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{}",
    b"[" * 100,
    b'{"x":"' + b"y" * (2 << 20) + b'"}',
    b"{}",
    b"[]",
    b'"text"',
    b"",
    b'{"level":1e400,"password":1,"token":{},"refresh_token":[],"tenant":"x","email":"\\uffff"}',
]


def filled(path: str, tenant: object) -> str:
    return path.replace("{tenant}", str(tenant)).replace("{user}", str(uuid4()))


async def test_every_operation_is_either_known_to_be_open_or_closed(auth: Auth) -> None:
    operations = {
        (method.upper(), path)
        for path, item in auth.app.openapi()["paths"].items()
        for method in item
    }
    closed = {(method, path) for method, path in operations if path not in OPEN}
    assert closed == set(CLOSED)


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_nothing_closed_opens_without_a_token_or_with_anothers(
    auth: Auth, method: str, path: str
) -> None:
    tenant, other = await auth.tenant("ada@a.example"), await auth.tenant("eve@b.example")
    url = filled(path, tenant)
    for token in ("", "x", (await auth.logged_in("ada@a.example", tenant))["refresh_token"]):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await auth.client.request(method, url, headers=headers, json={})
        assert answer.status_code == 401
    stranger = {"Authorization": f"Bearer {await auth.access('eve@b.example', other)}"}
    operator = {"Authorization": f"Bearer {await auth.operator()}"}
    if path.startswith("/t/"):
        for headers in (stranger, operator):
            answer = await auth.client.request(method, url, headers=headers, json={})
            assert answer.status_code == 404
    if path in {"/v1/invitations", "/v1/operators/{user}/lockout"}:
        answer = await auth.client.request(method, url, headers=stranger, json={})
        assert answer.status_code == 403


async def test_no_body_makes_the_service_fail_or_echo(auth: Auth) -> None:
    tenant = await auth.tenant("ada@a.example")
    admin, operator = await auth.access("ada@a.example", tenant), await auth.operator()
    for path, item in auth.app.openapi()["paths"].items():
        for method, operation in item.items():
            if "requestBody" not in operation:
                continue
            token = operator if path.startswith("/v1/") else admin
            for body in BODIES:
                answer = await auth.client.request(
                    method.upper(),
                    filled(path, tenant),
                    content=body,
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Content-Type": "application/json",
                    },
                )
                assert 400 <= answer.status_code < 500, (path, body[:40], answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["status"] == answer.status_code


async def test_the_tables_are_what_the_migrations_make(auth: Auth) -> None:
    """Columns, their nullability and the primary keys."""
    query = text(
        "SELECT table_name, column_name, is_nullable = 'YES' AS nullable"
        " FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name NOT IN ('outbox', 'inbox', 'key_proof', 'schema_migration')"
    )
    keys = text(
        "SELECT table_name, column_name FROM information_schema.key_column_usage"
        " JOIN information_schema.table_constraints USING (constraint_name, table_name)"
        " WHERE constraint_type = 'PRIMARY KEY' AND table_name = ANY(:tables)"
    )
    async with auth.db.read() as session:
        made = {
            (r["table_name"], r["column_name"], r["nullable"]) for r in await session.all(query)
        }
        found = await session.all(keys, {"tables": list(metadata.tables)})
        made_keys = {(row["table_name"], row["column_name"]) for row in found}
    columns = [column for table in metadata.tables.values() for column in table.columns]
    assert made == {(c.table.name, c.name, bool(c.nullable)) for c in columns}
    assert made_keys == {(c.table.name, c.name) for c in columns if c.primary_key}


async def test_it_is_ready_while_its_parts_are_up(auth: Auth) -> None:
    assert (await auth.get("/readyz")).status_code == 200
    auth.broker.down = True
    answer = await auth.get("/readyz")
    assert answer.status_code == 200, "it does without the broker for a while, and says so"
    assert answer.json()["checks"]["broker"] == "the broker is down"


async def test_logins_work_while_the_broker_is_down(auth: Auth) -> None:
    auth.broker.down = True
    tenant = await auth.tenant("ada@a.example")
    assert (await auth.login("ada@a.example", tenant=tenant)).status_code == 200


async def test_a_database_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    url = "postgresql://bulkhead_auth:x@127.0.0.1:1/bulkhead_auth"
    async with running_auth(url, tmp_path) as auth:
        answer = await auth.login("ada@a.example")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/dependency-down")


async def test_nothing_personal_is_logged(auth: Auth, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        tenant = await auth.tenant("ada@a.example")
        await auth.login("ada@a.example", "some wrong password here", tenant)
        await auth.logged_in("ada@a.example", tenant)
    assert caplog.records
    logged = caplog.text + repr([vars(record) for record in caplog.records])
    for private in ("ada@", "some wrong password", PASSWORD, "argon2id$"):
        assert private not in logged


def first_invitation(folder: Path, url: str, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.auth", "first-invitation"]
    return subprocess.run(
        [*command, "--email", "Root@platform.example", "--output", str(output)],
        env=os.environ | environment(settings_in(folder, url)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_the_first_operator_comes_in_by_a_file(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    url, output = await service_db("auth"), tmp_path / "invitation"
    done = first_invitation(tmp_path, url, output)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert output.stat().st_mode & 0o777 == 0o600
    token = output.read_text().strip()
    assert token not in done.stderr
    async with running_auth(url, tmp_path) as auth:
        assert (await auth.accept(token)).status_code == 200
        assert (await auth.login("root@platform.example")).status_code == 200
    again = first_invitation(tmp_path, url, tmp_path / "second")
    assert again.returncode == 1
    assert "there is an operator already" in again.stderr
    assert not (tmp_path / "second").exists()


async def test_the_first_invitation_overwrites_no_file(tmp_path: Path) -> None:
    output = tmp_path / "precious"
    output.write_text("mine")
    done = first_invitation(tmp_path, "postgresql://x:x@127.0.0.1:1/x", output)
    assert done.returncode == 1
    assert output.read_text() == "mine"


def test_without_its_key_the_service_does_not_start(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "postgresql://x:x@127.0.0.1:1/x")
    (tmp_path / "signing_key").write_text("")
    with pytest.raises(ValueError, match="signing_key: expected 32 bytes"):
        create_app(settings)


async def test_the_process_serves_without_a_broker_and_ends_on_sigterm(
    service_db: Callable[[str], Awaitable[str]], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    url = await service_db("auth")
    async with auth_process(url, tmp_path, free_port()) as client:
        checks = (await client.get("/readyz")).json()["checks"]
        assert checks["broker"] == "nothing listens there"
        body = {"email": "nobody@platform.example", "password": PASSWORD}
        assert (await client.post("/v1/operators/login", json=body)).status_code == 401
    assert PASSWORD not in (tmp_path / "log").read_text()
