"""Whatever an operator hands over broken: one sentence on stderr and a code, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
import typer
from typer.models import CommandInfo

from ops.cli import _run, app
from ops.cli.ending import REFUSED, UNREACHABLE, USAGE
from tests.ops.told import COMMANDS, ID, LOGIN

OF_THIS_MACHINE = {"run", "demo", "clean"}
OF_THE_BROKER = {
    "letters list": ["letters", "list"],
    "letters show": ["letters", "show", "sync", ID],
    "letters replay": ["letters", "replay", "sync", ID],
    "letters drop": ["letters", "drop", "unrouted", "--all"],
}
DEEP = "[" * 100_000 + "]" * 100_000


def names_of(group: typer.Typer, before: str = "") -> set[str]:
    own = {before + _name(one) for one in group.registered_commands}
    for sub in group.registered_groups:
        assert sub.typer_instance
        own |= names_of(sub.typer_instance, f"{before}{sub.name} ")
    return own


def _name(command: CommandInfo) -> str:
    assert command.callback
    return command.name or command.callback.__name__


def test_every_command_is_in_the_table():
    assert names_of(app) - OF_THIS_MACHINE == set(COMMANDS) | set(OF_THE_BROKER)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    file: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return file


@pytest.fixture
def good(authority) -> dict[str, object]:
    """Right in every way, but nobody listens there."""
    tenants = {ID: LOGIN | {"name": "A"}}
    url = "https://localhost:1"
    return {"url": url, "ca": str(authority), "operator": LOGIN, "tenants": tenants}


@pytest.fixture
def say(tmp_path, capsys, monkeypatch):
    """Runs a command with these credentials: its code and its one sentence."""
    file = tmp_path / "credentials.json"
    definition = tmp_path / "crm.json"
    definition.write_text(json.dumps({"name": "CRM", "choose": {"organisation": ["name"]}}))
    (tmp_path / "stdin").write_text("a secret\nanother\n")

    def run(command: str, content: object, mode: int = 0o600) -> tuple[int, str]:
        if content is not None:
            text = content if isinstance(content, str | bytes) else json.dumps(content)
            file.write_bytes(text.encode() if isinstance(text, str) else text)
            file.chmod(mode)
        places = {"DEFINITION": str(definition), "FILE": str(tmp_path / "written")}
        words = [places.get(one, one) for one in COMMANDS[command]]
        with (tmp_path / "stdin").open() as given, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", given)
            code = _run(["--credentials", str(file), *words])
        done = capsys.readouterr()
        assert done.out == ""
        lines = done.err.splitlines()
        assert len(lines) == 1, done.err
        assert "Traceback" not in lines[0]
        assert LOGIN["password"] not in lines[0]
        return code, lines[0]

    return run


BROKEN = {
    "absent": (None, "no credentials in"),
    "empty": ("", "is not JSON"),
    "not JSON": ("{url: 1}", "is not JSON"),
    "half": ('{"url": "https://', "is not JSON"),
    "not UTF-8": (b"\xff\xfe{}", "is not text in UTF-8"),
    "too deep": (DEEP, "nested too deep"),
    "a number too long": ('{"url": ' + "9" * 5000 + "}", "a number too long"),
    "a list": ("[]", "is not a JSON object"),
    "too large": (" " * (1 << 20) + "{}", "has more than 1 MiB"),
    "null": ("null", "is not a JSON object"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_credentials_file_is_one_sentence(say, command, broken):
    content, words = BROKEN[broken]
    code, line = say(command, content)
    assert code == UNREACHABLE
    assert words in line
    assert "credentials.json" in line


MEMBERS = {
    "no url": ({"url": None}, "url is empty or of the wrong type"),
    "url a number": ({"url": 1}, "url is empty or of the wrong type"),
    "url plain http": ({"url": "http://localhost:1"}, "is not an address such as https://"),
    "url without host": ({"url": "https://"}, "is not an address such as https://"),
    "url with a path": ({"url": "https://localhost:1/v1"}, "is not an address such as https://"),
    "url of no port": ({"url": "https://localhost:99999"}, "is not an address such as https://"),
    "url with control": ({"url": "https://local\nhost:1"}, "is not an address such as https://"),
    "url with a user": ({"url": "https://a:b@localhost:1"}, "is not an address such as https://"),
    "ca a list": ({"ca": []}, "ca is empty or of the wrong type"),
    "ca absent": ({"ca": "/nowhere/ca.pem"}, "cannot be read: No such file"),
    "ca a folder": ({"ca": "/"}, "(ca in"),
    "ca not PEM": ({"ca": "/etc/hostname"}, "holds no certificate in PEM"),
    "ca with NUL": ({"ca": "/a\0b"}, "(ca in"),
    "operator a text": ({"operator": "me"}, "operator is empty or of the wrong type"),
    "no password": ({"operator": {"email": "a@b.example"}}, "operator.password is missing"),
    "password a number": ({"operator": LOGIN | {"password": 7}}, "operator.password is empty or"),
    "tenants a list": ({"tenants": [LOGIN]}, "tenants is empty or of the wrong type"),
    "a tenant null": ({"tenants": {ID: None}}, f"tenants.{ID} is empty or of the wrong type"),
}


@pytest.mark.parametrize("command", ["status", "connection add", "user accept"])
@pytest.mark.parametrize("wrong", MEMBERS)
def test_a_wrong_member_is_one_sentence_with_its_name(say, good, command, wrong):
    members, words = MEMBERS[wrong]
    code, line = say(command, good | members)
    assert code == UNREACHABLE
    assert words in line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_others_can_read_is_refused(say, good, command):
    for mode in (0o640, 0o604, 0o620):
        code, line = say(command, good, mode)
        assert (code, "chmod 600" in line) == (UNREACHABLE, True)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"logout"}))
def test_nobody_listening_is_one_sentence(say, good, command):
    code, line = say(command, good)
    assert code == UNREACHABLE
    assert line == "cannot reach https://localhost:1: nobody listens there"


def test_an_unknown_name_is_told(say, good):
    assert say("status", good | {"url": "https://nowhere.invalid:1"})[1].endswith(
        "the name is not known"
    )


def test_credentials_without_the_login_that_a_command_needs(say, good):
    without = {name: good[name] for name in ("url", "ca")}
    assert say("status", without) == (REFUSED, "the credentials name no operator")
    code, line = say("backup list", without)
    assert (code, line) == (REFUSED, "the credentials hold no login for tenant A")


def test_two_tenants_of_one_name_need_the_id(say, good):
    other = ID.replace("7000", "7001")
    both = good | {"tenants": {one: LOGIN | {"name": "A"} for one in (ID, other)}}
    assert "several tenants named A: give the id" in say("backup list", both)[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is not JSON"),
        (b"\xff", "is not text in UTF-8"),
        (b'{"name": "CRM",}', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (DEEP.encode(), "nested too deep"),
        (b'{"choose": []}', "`choose` in"),
        (b'{"choose": {"organisation": "name"}}', "`choose` in"),
        (b'{"choose": {"organisation": [1]}}', "`choose` in"),
    ],
)
def test_a_broken_definition_is_refused_before_anything_is_asked(
    say, good, tmp_path, content, words
):
    definition = tmp_path / "crm.json"
    definition.unlink() if content is None else definition.write_bytes(content)
    code, line = say("connection add", good)
    assert code == USAGE
    assert words in line


@pytest.mark.parametrize("command", OF_THE_BROKER)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "holds no address of a broker"),
        (b"\xff", "is not text in UTF-8"),
        (b"amqp://", "holds no address of a broker"),
        (b"http://localhost:1/", "holds no address of a broker"),
        (b"amqp://a:hunter2@localhost:99999/", "holds no address of a broker"),
        (b"amqp://a:hunter2@127.0.0.1:1/\n", "listens there"),
    ],
)
def test_a_broken_address_of_the_broker_is_one_sentence(tmp_path, capsys, command, content, words):
    file = tmp_path / "amqp_url"
    if content is not None:
        file.write_bytes(content)
    assert _run([*OF_THE_BROKER[command], "--broker", str(file)]) == UNREACHABLE
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1
    assert "hunter2" not in line


@pytest.mark.parametrize("words", [["tenant", "suspend", "a/../b"], ["allowlist", "show", "all"]])
def test_an_id_that_is_none_never_stands_in_a_path(capsys, words):
    assert _run(words) == USAGE
    assert "is not an id" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["tenant", "create", "Cedar", "--allow", "10.0.0.1/8"],
        ["tenant", "create", "Cedar", "--allow", "127.0.0.1/32", "--admin", "nobody"],
        ["allowlist", "set", ID, "everybody"],
    ],
)
def test_what_the_service_would_refuse_is_refused_before_it_is_asked(good, tmp_path, capsys, words):
    (tmp_path / "c.json").write_text(json.dumps(good))
    (tmp_path / "c.json").chmod(0o600)
    assert _run(["--credentials", str(tmp_path / "c.json"), *words]) == REFUSED
    assert capsys.readouterr().err.rstrip().endswith("nothing was done")


def start(*words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from ops.cli import main; main()"]
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*command, *words], capture_output=True, timeout=60, **options
    )


def test_an_argument_that_is_no_text_is_one_sentence():
    done = start("tenant", "create", os.fsdecode(b"\xff"), "--allow", "127.0.0.1/32")
    assert done.returncode == USAGE
    assert done.stderr.decode() == "\\u{dcff} is not text in UTF-8\n"


def test_a_usage_error_shows_no_control_characters():
    done = start("tenant", "\x1b[2J")
    assert done.returncode == USAGE
    assert b"\x1b" not in done.stderr


def test_a_folder_and_a_loop_in_the_place_of_the_credentials(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in (tmp_path, tmp_path / "loop"):
        done = start("--credentials", str(place), "status")
        assert done.returncode == UNREACHABLE
        assert len(done.stderr.splitlines()) == 1
