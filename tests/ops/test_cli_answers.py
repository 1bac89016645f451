"""What answers at the address is not trusted: its words neither act nor crash."""

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from ops.cli import _run
from ops.cli.ending import REFUSED, UNREACHABLE
from tests.services.sync.tls_server import serving

TOKENS = {"access_token": "a", "expires_in": 300, "refresh_token": "r"}
ID, TENANT = "01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-00000000000a"
HOSTILE = "Firm [/] \x1b[2J\u202e[bold]"


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + body


def problem(**members: Any) -> bytes:
    return answer(json.dumps(members).encode(), "422 No", "application/problem+json")


@pytest.fixture
def context(ca) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(made)
    return made


@pytest.fixture
def asked_for() -> list[str]:
    """The requests that the server of `told` has had."""
    return []


@pytest.fixture
def told(tmp_path, ca, context, capsys, asked_for) -> Callable[..., Any]:
    """Runs a command against a server that always gives this answer: code, stdout, stderr."""

    def credentials(port: int, trusted: trustme.CA) -> Path:
        trusted.cert_pem.write_to_path(tmp_path / "ca.pem")
        login = {"email": "a@b.example", "password": "a long enough password"}
        known = {"url": f"https://127.0.0.1:{port}", "ca": str(tmp_path / "ca.pem")}
        file: Path = tmp_path / "credentials.json"
        file.write_text(
            json.dumps(known | {"operator": login, "tenants": {TENANT: login | {"name": "A"}}})
        )
        file.chmod(0o600)
        return file

    async def run(
        bytes_: bytes, *words: str, trusted: trustme.CA = ca, tls: bool = True
    ) -> tuple[int, str, str]:
        async with serving(bytes_, context if tls else None) as server:
            file = credentials(server.port, trusted)
            code = await asyncio.to_thread(_run, ["--credentials", str(file), *words])
        asked_for.extend(request.decode() for request in server.requests)
        done = capsys.readouterr()
        return code, done.out, done.err

    return run


async def test_a_certificate_of_another_authority_is_not_trusted(told):
    code, out, err = await told(answer(b"{}"), "status", trusted=trustme.CA())
    assert (code, out) == (UNREACHABLE, "")
    assert "its certificate is not one that the authority vouches for" in err
    assert len(err.splitlines()) == 1


async def test_a_server_without_tls_gets_no_password(told):
    code, _, err = await told(answer(b"{}"), "status", tls=False)
    assert code == UNREACHABLE
    assert "it does not speak TLS as it should" in err


FOREIGN = {
    "a page": answer(b"<html>", kind="text/html"),
    "no JSON": answer(b"{"),
    "too deep": answer(b"[" * 100_000),
    "not UTF-8": answer(b'"\xff"'),
    "a list": answer(b"[]"),
    "a text": answer(b'"a"'),
    "null": answer(b"null"),
    "empty": answer(b"", "204 No Content"),
    "other members": answer(b'{"ok": true}'),
    "a moment that is none": answer(json.dumps(TOKENS | {"expires_in": "soon"}).encode()),
    "only tokens": answer(json.dumps(TOKENS).encode()),
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "cut short": answer(b"{}")[:-30],
}


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("command", ["status", "tenant list"])
async def test_an_answer_that_is_not_bulkheads_is_one_sentence(told, command, foreign):
    code, out, err = await told(FOREIGN[foreign], *command.split())
    assert code == UNREACHABLE
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    assert ("that is not JSON" in err) == (foreign in {"no JSON", "too deep", "not UTF-8"})
    assert ("of the type text/html" in err) == (foreign == "a page")


@pytest.mark.parametrize(
    "bytes_",
    [
        problem(detail=HOSTILE),
        problem(title=["not", "a", "text"], errors=HOSTILE),
        problem(errors=[HOSTILE, {"pointer": HOSTILE, "message": None}]),
        problem(type=7, errors={"a": 1}),
        answer(b"[1]", "500 No"),
        answer(b"", "302 Found"),
    ],
)
async def test_a_problem_is_one_sentence_whatever_it_holds(told, bytes_):
    code, out, err = await told(bytes_, "status")
    assert (code, out) == (REFUSED, "")
    assert len(err.splitlines()) == 1
    assert not set("\x1b\u202e") & set(err)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["user", "unlock", ID], f"DELETE /v1/operators/{ID}/lockout"),
        (["user", "unlock", ID, "--tenant", "A"], f"DELETE /t/{TENANT}/v1/users/{ID}/lockout"),
        (
            ["user", "unlock", "A@B.example", "--tenant", TENANT],
            f"DELETE /t/{TENANT}/v1/users/{ID}",
        ),
    ],
)
async def test_who_is_unlocked_is_asked_for_by_id(told, asked_for, words, asked):
    users = [{"id": ID, "email": "a@b.example"}]
    code, out, _ = await told(answer(json.dumps(TOKENS | {"users": users}).encode()), *words)
    assert (code, out) == (0, f"unlocked: {ID}\n")
    assert asked_for[-1].startswith(asked)


async def test_hostile_values_of_a_good_answer_are_shown_and_do_not_act(told):
    tenants = [{"id": "1", "name": HOSTILE, "state": "active", "created_at": None}]
    good = answer(json.dumps(TOKENS | {"tenants": tenants}).encode())
    code, out, _ = await told(good, "tenant", "list")
    assert code == 0
    assert "Firm [/] \\u{1b}[2J\\u{202e}" in out
    code, out, _ = await told(good, "--output", "json", "tenant", "list")
    assert code == 0
    assert json.loads(out) == tenants
