"""What an operator hands over broken to what is called by hand: one sentence and a code, never a
traceback and never a secret. (`bulkhead` itself: tests/ops/test_cli_broken_input.py)"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kit import base64url
from kit.sealing import new_key
from ops.installation import make_secrets
from tests.deploy.pods import ROOT
from tests.ports import PORTS

SECRET = "hunter2hunter2"


@dataclass
class Case:
    """How to break a folder of secrets, what is called then, and what has to be said."""

    breaks: Callable[[Path], object]
    words: tuple[str, ...]
    code: int
    said: str
    environment: dict[str, str] = field(default_factory=dict)


def writes(name: str, content: str | bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def without_certificate(folder: Path) -> None:
    """So that one is made."""
    (folder / "edge" / "tls.crt").unlink()


def broken_authority(folder: Path) -> None:
    without_certificate(folder)
    (folder / "certificates" / "authority.pem").write_text("x")


def nothing(_folder: Path) -> None:
    """All is as it was made."""


SECRETS, BOOTSTRAP = ("secrets", "{}"), ("bootstrap", "{}/bootstrap")
URL = f"postgresql://postgres:{SECRET}@127.0.0.1:{{}}/postgres"
CASES = {
    "a file in the folder's place": Case(writes("f", ""), ("secrets", "{}/f"), 2, "f"),
    "a folder that cannot be": Case(nothing, ("secrets", "/proc/none"), 2, "/proc/none"),
    "passwords cut": Case(
        writes("bootstrap/database_passwords.json", '{"auth"'), SECRETS, 2, "is not JSON"
    ),
    "passwords no text": Case(
        writes("bootstrap/broker_passwords.json", b"\xff"), SECRETS, 2, "is not JSON"
    ),
    "passwords nested": Case(
        writes("bootstrap/broker_passwords.json", "[" * 100_000), SECRETS, 2, "is not JSON"
    ),
    "passwords a list": Case(
        writes("bootstrap/broker_passwords.json", "[]"), SECRETS, 2, "is not a JSON object"
    ),
    "a password a number": Case(
        writes("bootstrap/database_passwords.json", '{"auth": 1}'), SECRETS, 2, "no password"
    ),
    "a key cut": Case(writes("auth/identity_key", SECRET), SECRETS, 2, "expected 32 bytes"),
    "the old broker's password no text": Case(
        writes("rabbitmq/password", b"\xff"), SECRETS, 2, "no text"
    ),
    "an authority that is none": Case(
        broken_authority,
        SECRETS,
        2,
        "something broken",
    ),
    "a name that no certificate can have": Case(
        without_certificate,
        (*SECRETS, "--name", "b\u00fccher"),
        2,
        "no certificate",
    ),
    "no address of the broker for all": Case(
        nothing, SECRETS, 2, "set AMQP_URL", {"AMQP_URL_AUTH_FILE": "/dev/null"}
    ),
    "an address of the broker in no file": Case(
        nothing, SECRETS, 2, "/none", {"AMQP_URL_AUTH_FILE": "/none", "AMQP_URL": SECRET}
    ),
    "no command": Case(nothing, (), 2, "required"),
    "a command that there is not": Case(nothing, ("dance", "{}"), 2, "invalid choice"),
    "no superuser's address": Case(nothing, ("bootstrap", "/none"), 2, "/none/superuser_url"),
    "an empty address": Case(writes("bootstrap/superuser_url", ""), BOOTSTRAP, 2, "no address"),
    "an address without scheme": Case(
        writes("bootstrap/superuser_url", f"postgres:{SECRET}@db"), BOOTSTRAP, 2, "no address"
    ),
    "an address that is no text": Case(
        writes("bootstrap/superuser_url", b"\xff"), BOOTSTRAP, 2, "no address"
    ),
    "an address without a port's number": Case(
        writes("bootstrap/superuser_url", URL.format("x")), BOOTSTRAP, 2, "no address"
    ),
    "nobody listens": Case(
        writes("bootstrap/superuser_url", URL.format(9)), BOOTSTRAP, 3, "nothing listens"
    ),
    "no socket": Case(
        writes("bootstrap/superuser_url", "postgresql://postgres@/postgres?host=/none"),
        BOOTSTRAP,
        3,
        "PostgreSQL",
    ),
    "the bootstrap's passwords cut": Case(
        writes("bootstrap/database_passwords.json", "{"), BOOTSTRAP, 2, "is not JSON"
    ),
}


def call(module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_said(ended: subprocess.CompletedProcess[str], code: int, said: str) -> None:
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert SECRET not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith(("usage", " "))]
    assert len(lines) == 1, ended.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    make_secrets(folder, "database", "broker", ("localhost",))
    return folder


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_installation_s_commands_say_what_is_wrong(
    case: Case, installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    subprocess.run(["cp", "-a", installed, folder], check=True)
    case.breaks(folder)
    words = [word.format(folder) for word in case.words]
    assert_said(call("ops.installation", *words, **case.environment), case.code, case.said)


async def test_a_bootstrap_without_the_right_says_so(cluster, installed: Path, tmp_path) -> None:
    """With the address of a role that is no superuser, and with a wrong password."""
    folder = tmp_path / "bootstrap"
    subprocess.run(["cp", "-a", installed / "bootstrap", folder], check=True)
    (folder / "superuser_url").write_text(cluster.url("auth"))
    assert_said(call("ops.installation", "bootstrap", str(folder)), 3, "its role lacks a right")
    wrong = re.sub(r":[^:@]*@", f":{SECRET}@", cluster.url("auth"))
    (folder / "superuser_url").write_text(wrong)
    assert_said(call("ops.installation", "bootstrap", str(folder)), 3, "it refuses the login")


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """Settings with which every service could be called, were its database there."""
    files = {
        "database_url": f"postgresql://nobody:{SECRET}@127.0.0.1:9/none",
        "amqp_url": "amqp://nowhere",
        "identities": "{}",
        **{name: base64url.encode(new_key()) for name in ("identity_key", "signing_key", "kek")},
        "manifest_key": base64url.encode(new_key()),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return {f"BULKHEAD_{name.upper()}_FILE": str(tmp_path / name) for name in files} | {
        "BULKHEAD_PORT": str(PORTS.free()),
        "BULKHEAD_AUTH_URL": "http://auth:8000",
        "BULKHEAD_TENANTS_URL": "http://tenants:8000",
        "BULKHEAD_SYNC_URL": "http://sync:8000",
        "BULKHEAD_BACKUP_URL": "http://backup:8000",
        "BULKHEAD_GATEWAY_URL": "http://gateway:8000",
        "BULKHEAD_VAULT_DIR": str(tmp_path / "vault"),
        "BULKHEAD_KEYRING_DIR": str(tmp_path / "keyring"),
        "BULKHEAD_EDGE_DIR": "/proc/none",
        "BULKHEAD_CERTIFICATE_FILE": str(tmp_path / "kek"),
        "BULKHEAD_CERTIFICATE_KEY_FILE": str(tmp_path / "kek"),
        "BULKHEAD_GLOBAL_RANGES": json.dumps(["127.0.0.0/8"]),
    }


EXTRA = {
    "services.auth": {"SIGNING_KEY_FILE"},
    "services.tenants": {"KEK_FILE"},
    "services.sync": {"KEK_FILE"},
    "services.backup": {"KEK_FILE", "MANIFEST_KEY_FILE", "VAULT_DIR", "KEYRING_DIR"},
    "gateway": {
        *("SYNC_URL", "BACKUP_URL", "GATEWAY_URL", "EDGE_DIR", "GLOBAL_RANGES"),
        *("CERTIFICATE_FILE", "CERTIFICATE_KEY_FILE"),
    },
}
COMMON = {
    *("PORT", "DATABASE_URL_FILE", "AMQP_URL_FILE", "IDENTITY_KEY_FILE", "IDENTITIES_FILE"),
    *("AUTH_URL", "TENANTS_URL"),
}


def settings_of(module: str, program: dict[str, str]) -> dict[str, str]:
    return {f"BULKHEAD_{name}": program[f"BULKHEAD_{name}"] for name in COMMON | EXTRA[module]}


@pytest.mark.parametrize("module", EXTRA)
def test_a_migration_without_its_database_says_so(module: str, program: dict[str, str]) -> None:
    ended = call(module, "migrate", **settings_of(module, program))
    assert_said(ended, 3, "migrate failed: PostgreSQL: nothing listens there")


def test_commands_of_one_program_alone_say_what_is_wrong(
    program: dict[str, str], tmp_path: Path
) -> None:
    auth = settings_of("services.auth", program)
    invite = ("first-invitation", "--email", "a@b.example", "--output")
    output = tmp_path / "invitation"
    assert_said(call("services.auth", *invite, str(output), **auth), 3, "nothing listens there")
    assert not output.exists()
    ended = call("services.auth", *invite, "/none/invitation", **auth)
    assert_said(ended, 1, "cannot make /none/invitation")
    ended = call("gateway", "render", **settings_of("gateway", program))
    assert_said(ended, 2, "/proc/none")


def test_sync_with_a_name_of_this_machine_says_which_file_is_not_there(
    program: dict[str, str],
) -> None:
    given = ("crm.test", "1", "/none/authority.pem")
    ended = call("ops.local.sync", *given, **settings_of("services.sync", program))
    assert_said(ended, 2, "/none/authority.pem")


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    code = "from kit.ending import in_words\nwith in_words('it'):\n    1 / 0"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
