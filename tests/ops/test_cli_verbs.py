"""Every operation of the API on connections has a verb, and all that may be said an option."""

import io
import json
import re
import sys
from collections import defaultdict
from functools import cache
from typing import Any

import pytest
import typer

from ops import openapi
from ops.cli import app
from ops.cli.ending import REFUSED, UNREACHABLE, USAGE
from tests.ops.told import CONNECTION_VERBS, ID, answer, says

PREFIX = "/t/{tenant}/v1/connections"
OF_A_FILE = {"create_connection", "change_connection", "put_credentials"}
"""What these are told lies in a file; the test of each says so."""
UNSAID = {"retry_parked": {"all"}}
"""Said by saying nothing."""
RUN = {"id": ID, "why": "demand", "state": "done", "reason": "", "due": 1, "sent": 1}
RUN |= {"unchanged": 0, "parked": 0, "retried": 0, "rows_per_s": None, "seconds_left": None}
CERTIFICATE = {"pem": "a certificate", "sha1": "AA", "sha256": "BB"}
LISTS = ("connections", "counts", "outcomes", "calls", "credentials", "steps", "fields")
ALL = RUN | {name: [] for name in LISTS} | {"outcomes": {}, "modules": [], "ok": True}
ALL |= {"runs": [RUN], "certificate": CERTIFICATE, "expires_at": "2027-06-30T00:00:00Z"}
"""An answer in which every verb finds what it looks for."""


document = cache(openapi.document)


def described() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """The operations on connections: method, path and what the document says."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, entries in document()["paths"].items()
        if path.startswith(PREFIX)
        for method, operation in entries.items()
    }


def operation_of(line: str) -> str | None:
    """The operation that a request line asks for; of two that fit, the plainer one."""
    method, target, _ = line.split(" ")
    fitting = [
        (path.count("{"), name)
        for name, (needed, path, _) in described().items()
        if method == needed
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), target.split("?")[0])
    ]
    return min(fitting)[1] if fitting else None


def options_of(command: str) -> set[str]:
    group: Any = typer.main.get_command(app)
    for word in command.split():
        group = group.commands[word]
    return {option for one in group.params for option in one.opts}


def sayable(operation: dict[str, Any]) -> set[str]:
    """The query's parameters and the body's members."""
    names = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        (schema,) = re.findall(r"schemas/(\w+)", json.dumps(content["schema"]))
        names |= document()["components"]["schemas"][schema]["properties"].keys()
    return names


@pytest.fixture
def given(tmp_path, monkeypatch):
    """The words of a command, with its files and a secret on standard input."""
    (tmp_path / "crm.json").write_text("{}")
    places = {"DEFINITION": str(tmp_path / "crm.json"), "FILE": str(tmp_path / "written")}

    def words(command: str) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a secret\n")))
        return [places.get(word, word) for word in CONNECTION_VERBS[command]]

    return words


async def test_every_operation_has_a_verb_and_what_may_be_said_an_option(told, asked_for, given):
    verbs = defaultdict(set)
    for command in CONNECTION_VERBS:
        asked_for.clear()
        code, _, err = await told(says(**ALL), *given(command))
        assert code == 0, f"{command}: {err}"
        for request in asked_for:
            verbs[operation_of(request.split("\r\n")[0])].add(command)
    for name, (_, _, operation) in described().items():
        assert verbs[name], f"no verb asks for {name}"
        if name in OF_A_FILE:
            continue
        names = sayable(operation) - UNSAID.get(name, set())
        wanted = {f"--{one.replace('_', '-')}" for one in names}
        assert any(wanted <= options_of(command) for command in verbs[name]), f"{name}: {wanted}"


def test_the_rule_sees_an_operation_that_no_verb_asks_for():
    assert len(described()) > 20
    assert operation_of(f"GET /t/{ID}/v1/connections/{ID}/outcomes/summary HTTP/1.1") == (
        "summarise_outcomes"
    )
    assert operation_of(f"GET /t/{ID}/v1/connections/{ID}/nothing HTTP/1.1") is None
    assert sayable(described()["retry_parked"][2]) == {"record", "code", "module", "all"}


@pytest.mark.parametrize(
    "command", sorted(set(CONNECTION_VERBS) - {"connection add", "connection list"})
)
async def test_an_answer_that_lacks_what_is_shown_is_one_sentence(told, given, tmp_path, command):
    done_by_status = {"pause", "resume", "remove", "drop", "put", "stage"}
    whole = {"show", "retry", "resync", "run", "change", "export"}  # shown as it comes
    for body in (says(modules=7, runs=[7], steps=7), answer(b"[7]")):
        code, out, err = await told(body, *given(command))
        if command.split()[-1] in done_by_status | whole:
            assert code in {0, UNREACHABLE}
        else:
            assert (code, out) == (UNREACHABLE, ""), err
            assert len(err.strip().splitlines()) == 1
    assert "written" not in {one.name for one in tmp_path.iterdir()} or "export" in command


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["resume", ID], "/resume HTTP/1.1"),
        (["resume", ID, "--lift-wait"], "/resume?lift_wait=true HTTP/1.1"),
        (["outcomes", ID, "--code", "schema"], "/outcomes?code=schema HTTP/1.1"),
    ],
)
async def test_what_is_said_is_asked(told, asked_for, words, line):
    assert (await told(says(**ALL), "connection", *words, "--tenant", "A"))[0] == 0
    assert asked_for[-1].split("\r\n")[0].endswith(line)


async def test_a_probe_that_is_not_well_is_shown_and_refused(told):
    steps = [{"step": "token", "ok": True}, {"step": "identity", "ok": False, "reason": "no role"}]
    code, out, err = await told(
        says(ok=False, steps=steps), "connection", "test", ID, "--tenant", "A"
    )
    assert (code, err) == (REFUSED, "identity: no role\n")
    assert "token" in out


async def test_the_certificate_is_in_the_file_and_nowhere_half(told, given, tmp_path):
    command = "connection credentials certificate"
    code, out, _ = await told(says(**ALL), *given(command))
    assert (code, (tmp_path / "written").read_text()) == (0, "a certificate")
    assert "AA" in out
    (tmp_path / "written").unlink()
    lacking = says(**ALL | {"certificate": {"sha1": "AA", "sha256": "BB"}})
    assert (await told(lacking, *given(command)))[0] == UNREACHABLE
    assert not [one for one in tmp_path.iterdir() if "written" in one.name]


@pytest.mark.parametrize("place", ["/etc/hostname/below", "/nowhere/written", "."])
@pytest.mark.parametrize("verb", ["export", "credentials certificate"])
async def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    told, asked_for, verb, place
):
    words = ("connection", *verb.split(), ID, "--tenant", "A", "--file", place)
    code, out, err = await told(says(**ALL), *words)
    assert (code, out) == (REFUSED, "")
    assert "cannot be written" in err
    assert not [one for one in asked_for if "/login" not in one] or place == "."


@pytest.mark.parametrize("words", [[], ["FILE"]])
async def test_a_change_of_nothing_is_refused(told, asked_for, tmp_path, words):
    (tmp_path / "change.json").write_text("{}")
    places = [str(tmp_path / "change.json") for _ in words]
    code, _, err = await told(says(**ALL), "connection", "change", ID, *places, "--tenant", "A")
    assert (code, err) == (USAGE, "nothing changes: name a file, or an option\n")
    assert not asked_for


async def test_a_secret_is_never_an_argument():
    for command in CONNECTION_VERBS:
        assert not [one for one in options_of(command) if "secret" in one and "file" not in one]
