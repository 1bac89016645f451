"""Settings: what could not work is refused at start, by its name, and its value is never shown."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.settings import ProcessSettings, explain
from kit import base64url
from kit.sealing import new_key
from ops.programs import PROGRAMS, in_container
from tests.conftest import ROOT

CLASSES = {
    "auth": "AuthSettings",
    "tenants": "TenantsSettings",
    "sync": "SyncSettings",
    "backup": "BackupSettings",
    "relay": "RelaySettings",
    "gateway": "GatewaySettings",
}
ABSENT = object()


def class_of(program: str) -> type[ProcessSettings]:
    module = import_module(f"{PROGRAMS[program].module}.settings")
    found: type[ProcessSettings] = getattr(module, CLASSES[program])
    return found


@pytest.fixture
def good(tmp_path: Path) -> dict[str, dict[str, str]]:
    """The settings of each program as in a container, its files in a folder of this test."""
    values = {name: in_container(name) for name in PROGRAMS}
    values["gateway"]["BULKHEAD_GLOBAL_RANGES"] = '["192.0.2.0/24"]'
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "auth").write_text("postgresql://nowhere")
    for given in values.values():
        for name, value in given.items():
            file = tmp_path / Path(value).name
            if name.endswith("_FILE"):
                file.write_text("{}" if "IDENTITIES" in name else base64url.encode(new_key()))
                given[name] = str(file)
            if name == "BULKHEAD_OUTBOX_URLS_DIR":
                given[name] = str(file)
    return values


@pytest.fixture
def refusal(good, monkeypatch):
    """What the settings of a program say when some values are others."""

    def read(program: str, **changes: Any) -> str:
        wanted = good[program] | {f"BULKHEAD_{name.upper()}": v for name, v in changes.items()}
        for name, value in wanted.items():
            if value is ABSENT:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        try:
            class_of(program)()
        except ValidationError as error:
            return explain(error)
        return ""

    return read


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_settings_of_a_container_are_accepted(refusal, program):
    assert refusal(program) == ""


@pytest.mark.parametrize(
    ("program", "name", "value", "words"),
    [
        ("auth", "port", ABSENT, "is not set"),
        ("auth", "port", "0", "is less than 1"),
        ("auth", "port", "99999", "is more than 65535"),
        ("auth", "port", "eighty", "is not a whole number"),
        ("auth", "metrics_port", "65536", "is more than 65535"),
        ("auth", "log_level", "LOUD", "is none of 'DEBUG'"),
        ("auth", "drain_s", "-5", "is less than 0"),
        ("auth", "drain_s", "inf", "is not a finite number"),
        ("auth", "drain_s", "soon", "is not a number"),
        ("auth", "host", "", "is empty"),
        ("auth", "auth_url", "notaurl", "is not an address"),
        ("auth", "auth_url", "ftp://auth:1", "is not an address"),
        ("auth", "auth_url", "http://somebody:secret@auth:8000", "is not an address"),
        ("auth", "auth_url", "http://auth:99999", "is not an address"),
        ("auth", "auth_url", "http://auth:8000/", "has something after"),
        ("auth", "auth_url", "http://auth:8000/v1", "has something after"),
        ("auth", "tenants_url", "http://tenants:8000?x", "has something after"),
        ("auth", "signing_key_file", ABSENT, "is not set"),
        ("auth", "signing_key_file", "/nowhere/key", "names a file that is not there"),
        ("auth", "database_url_file", "/", "names a file that is not there"),
        ("auth", "database_url_file", "/dev/null", "names a file that is not there"),
        ("auth", "other_keys_file", "/nowhere/keys", "names a file that is not there"),
        ("relay", "port", "0", "is less than 1"),
        ("relay", "drain_s", "-1", "is less than 0"),
        ("relay", "log_level", "loud", "is none of"),
        ("relay", "outbox_urls_dir", "/nowhere", "names a folder that is not there"),
        ("relay", "amqp_url_file", "/nowhere", "names a file that is not there"),
        ("tenants", "connection_budget", "-1", "is less than 1"),
        ("tenants", "connection_budget", "100000", "is more than 10000"),
        ("tenants", "connections_per_tenant", "0", "is less than 1"),
        ("tenants", "connections_per_tenant", "61", "is more than BULKHEAD_CONNECTION_BUDGET"),
        ("sync", "egress_addresses", '["not an ip"]', "holds something that is no address"),
        ("sync", "egress_addresses", "192.0.2.1", "is not a JSON list"),
        ("sync", "egress_addresses", "[1]", "is not a JSON list"),
        ("sync", "sweep_s", "nan", "is not a finite number"),
        ("sync", "workers", "0", "is less than 1"),
        ("backup", "vault_dir", "state/vault", "is not an absolute path"),
        ("backup", "keyring_dir", "keyring", "is not an absolute path"),
        ("backup", "keyring_dir", "/var/lib/bulkhead/vault/keys", "lies in BULKHEAD_VAULT_DIR"),
        ("backup", "keyring_dir", "/var/lib/bulkhead/vault", "lies in BULKHEAD_VAULT_DIR"),
        ("backup", "keyring_dir", "/var/lib/bulkhead/k/../vault", "lies in BULKHEAD_VAULT_DIR"),
        ("backup", "pg_bin_dir", "/nowhere", "names a folder that is not there"),
        ("backup", "pg_bin_dir", "/", "names a folder without pg_dump"),
        ("backup", "kek_file", "/nowhere", "names a file that is not there"),
        ("gateway", "trusted_hops", "-1", "is less than 0"),
        ("gateway", "client_requests_per_s", "0", "is less than 1"),
        ("gateway", "edge_port", "0", "is less than 1"),
        ("gateway", "edge_dir", "edge", "is not an absolute path"),
        ("gateway", "edge_dir", "/" + "e" * 97, "is too long a path"),
        ("gateway", "certificate_file", "/nowhere/tls.crt", "names a file that is not there"),
        ("gateway", "auth_url", "https://auth:8000", "is not an address such as http://auth:8000"),
        ("gateway", "sync_url", "http://sync", "with its port"),
        ("gateway", "global_ranges", "[]", "needs at least 1"),
        ("gateway", "global_ranges", '["all"]', "is not an address range"),
        ("gateway", "global_ranges", '["10.0.0.1/8"]', "has address bits beyond its prefix"),
        ("gateway", "global_ranges", ABSENT, "is not set"),
        ("gateway", "global_ranges", "192.0.2.0/24", "is not a JSON list"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence_with_its_name(
    refusal, program, name, value, words
):
    said = refusal(program, **{name: value})
    assert said.startswith(f"BULKHEAD_{name.upper()} ")
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("program", "name", "content", "words"),
    [
        ("auth", "signing_key_file", "Q" * 42, "holds no key"),
        ("auth", "identity_key_file", "é" * 43, "holds no key"),
        ("tenants", "kek_file", "Q" * 44, "holds no key"),
        ("backup", "manifest_key_file", "", "is empty"),
        ("auth", "identities_file", "not JSON", "is not a JSON object"),
        ("auth", "identities_file", '{"sync": 1}', "is not a JSON object"),
        ("auth", "identities_file", '["sync"]', "is not a JSON object"),
    ],
)
def test_a_file_that_cannot_be_what_it_should_is_refused_and_not_shown(
    refusal, tmp_path, program, name, content, words
):
    (tmp_path / "other").write_text(content)
    said = refusal(program, **{name: str(tmp_path / "other")})
    assert said.startswith(f"BULKHEAD_{name.upper()} names a file that ")
    assert words in said
    assert not content or content not in said


@pytest.mark.parametrize("name", ["database_url_file", "amqp_url_file", "kek_file"])
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_secret_that_others_may_write_is_refused(refusal, good, name, mode):
    Path(good["tenants"][f"BULKHEAD_{name.upper()}"]).chmod(mode)
    assert "names a file that others may write" in refusal("tenants")


def test_a_secret_in_the_place_of_its_file_is_not_shown(refusal):
    secret = "postgresql://auth:hunter2@db/auth"
    assert "hunter2" not in refusal("auth", database_url_file=secret, auth_url=secret)


def test_everything_that_is_wrong_is_told_at_once(refusal):
    said = refusal("auth", port=ABSENT, log_level="LOUD", signing_key_file="/nowhere")
    assert [line.split()[0] for line in said.splitlines()] == [
        "BULKHEAD_PORT",
        "BULKHEAD_LOG_LEVEL",
        "BULKHEAD_SIGNING_KEY_FILE",
    ]


def start(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The program as it is started everywhere."""
    return subprocess.run(
        [sys.executable, *PROGRAMS[program].command[1:]],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_ends_with_2_and_the_sentences_and_no_traceback(good, program):
    wrong = good[program] | {"BULKHEAD_PROT": "8000", "BULKHEAD_DRAIN_S": "-5"}
    del wrong["BULKHEAD_PORT"]
    done = start(program, wrong)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "BULKHEAD_PROT is no setting of this program: BULKHEAD_PORT is",
        "BULKHEAD_PORT is not set",
        "BULKHEAD_DRAIN_S is less than 0.0",
    ]


@pytest.mark.parametrize("stranger", ["BULKHEAD_VAULT", "bulkhead_drain", "BULKHEAD_"])
def test_a_misspelt_name_is_refused_though_all_others_are_right(good, stranger):
    done = start("backup", good["backup"] | {stranger: "1"})
    assert done.returncode == 2
    assert done.stderr.startswith(f"{stranger.upper()} is no setting of this program")
