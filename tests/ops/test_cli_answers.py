"""What answers at the address is not trusted: its words neither act nor crash."""

import json
from typing import Any

import pytest
import trustme

from ops.cli.ending import REFUSED, UNREACHABLE
from tests.ops.told import ID, TENANT, TOKENS, answer

HOSTILE = "Firm [/] \x1b[2J\u202e[bold]"


def problem(**members: Any) -> bytes:
    return answer(json.dumps(members).encode(), "422 No", "application/problem+json")


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
