"""The arrows hold: lint-imports passes, and each of its contracts sees what it is there for."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("kit", "contracts", "tenantdb", "services", "gateway", "ops", "sandbox")
PRODUCT = ("kit", "contracts", "tenantdb", "services", "gateway")
LINT = Path(sys.executable).with_name("lint-imports")
VERDICT = re.compile(r"^(.+) (KEPT|BROKEN)\b", re.MULTILINE)
WAYS_OUT = re.compile(r"urllib\.request|http\.client|(asyncio|loop)\.(open|create)_connection")
PREFIX = "importlinter:contract:"

# Where a line is planted, the line, and the contracts that must then be broken: these, no others.
PLANTED = [
    ("kit/http/app.py", "import contracts.permissions", {"arrows"}),
    ("contracts/events.py", "import services.auth.lockout", {"arrows", "services-apart"}),
    ("tenantdb/names.py", "import services.tenants.problems", {"arrows"}),
    ("gateway/settings.py", "import services.auth.lockout", {"arrows"}),
    ("services/backup/runs/runs.py", "import services.auth.lockout", {"services-apart"}),
    ("services/auth/app.py", "import sandbox.certificates", {"sandbox-apart"}),
    ("ops/local/suite.py", "import sandbox.certificates", {"sandbox-apart"}),
    ("sandbox/certificates.py", "import kit.clock", {"sandbox-foreign"}),
    ("services/sync/egress/refusals.py", "import services.sync.egress.tls", {"no-cycles"}),
    ("services/sync/app.py", "import tenantdb.names", {"owner-tenantdb"}),
    ("services/sync/consumers.py", "from aio_pika import connect", {"owner-amqp"}),
    ("services/auth/login.py", "from nacl.secret import SecretBox", {"owner-nacl"}),
    ("services/auth/sessions.py", "from argon2 import PasswordHasher", {"owner-argon2"}),
    ("services/sync/registry.py", "import services.sync.crm.dataverse", {"owner-crm-kinds"}),
    ("services/sync/ledger.py", "import obstore", {"owner-obstore"}),
    ("services/backup/vault/archive.py", "import httpx2", {"owner-egress"}),
    ("kit/timers.py", "def late():\n    import socket", {"owner-egress"}),
    ("services/auth/parts.py", "import cryptography.fernet", {"owner-certificates"}),
    ("kit/http/envelope.py", "from opentelemetry import trace", {"owner-spans"}),
    ("services/sync/registry.py", "import requests", {"owner-spans"}),
    ("ops/cli/tenants.py", "from rich.console import Console", {"owner-terminal"}),
    ("gateway/edge.py", "import aiohttp", {"no-detours"}),
    ("services/auth/lockout.py", "import time", {"pure"}),
    ("services/backup/vault/retention.py", "from kit import clock", {"pure"}),
    ("services/auth/levels.py", "import services.auth.login", {"layers-auth", "no-cycles"}),
    ("services/sync/store/keys.py", "import services.sync.ledger", {"layers-sync", "no-cycles"}),
]
LAYERED = {
    "layers-kit": "kit",
    "layers-contracts": "contracts",
    "layers-tenantdb": "tenantdb",
    "layers-auth": "services/auth",
    "layers-tenants": "services/tenants",
    "layers-sync": "services/sync",
    "layers-backup": "services/backup",
    "layers-relay": "services/relay",
    "layers-gateway": "gateway",
    "layers-ops": "ops",
}


def contracts() -> dict[str, str]:
    """The id of each contract, by its name."""
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    found = [section for section in config.sections() if section.startswith(PREFIX)]
    return {config[section]["name"]: section.removeprefix(PREFIX) for section in found}


def broken_in(folder: Path) -> set[str]:
    """The ids of the contracts that the code in this folder breaks."""
    run = subprocess.run(
        [LINT, "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "500", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    ids = contracts()
    verdicts = {ids[name]: verdict for name, verdict in VERDICT.findall(run.stdout)}
    assert set(verdicts) == set(ids.values()), run.stdout + run.stderr
    broken = {one for one, verdict in verdicts.items() if verdict == "BROKEN"}
    assert run.returncode == (1 if broken else 0)
    return broken


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code once more, to break it."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / ".importlinter", folder)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return folder


@pytest.fixture(scope="module")
def already(copy: Path) -> set[str]:
    """What the copy breaks with nothing planted; another test says that it should be nothing."""
    return broken_in(copy)


@contextmanager
def planted(path: Path, line: str) -> Iterator[None]:
    before = path.read_text()
    path.write_text(f"{before}\n{line}\n")
    try:
        yield
    finally:
        path.write_text(before)


def test_the_code_breaks_no_contract():
    assert broken_in(ROOT) == set()


def test_every_contract_is_seen_to_break():
    """A contract that no planted line breaks proves nothing."""
    proved = set[str]().union(LAYERED, *(expected for _path, _line, expected in PLANTED))
    assert proved == set(contracts().values())


@pytest.mark.parametrize(
    ("path", "line", "expected"), PLANTED, ids=[f"{path}: {line}" for path, line, _ in PLANTED]
)
def test_a_planted_import_breaks_its_contract_and_no_other(copy, already, path, line, expected):
    with planted(copy / path, line):
        assert broken_in(copy) == expected | already


def test_a_new_module_must_be_given_a_layer_in_every_package(copy, already):
    strangers = [copy / package / "stranger.py" for package in LAYERED.values()]
    for stranger in strangers:
        stranger.write_text('"""Nobody has given this a place."""\n')
    try:
        assert broken_in(copy) == already | set(LAYERED)
    finally:
        for stranger in strangers:
            stranger.unlink()


def ways_out(text: str) -> set[str]:
    """Connections by the standard library, which the linter cannot tell from its harmless parts."""
    names = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Attribute):
            names.add(ast.unparse(node))
    return {name for name in names if WAYS_OUT.match(name)}


@pytest.mark.parametrize(
    "text",
    [
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "import http.client as plain",
        "from http.client import HTTPSConnection",
        "asyncio.open_connection('crm.example', 443)",
        "loop.create_connection(protocol, 'crm.example', 443)",
        "from asyncio import open_connection",
    ],
)
def test_a_way_out_by_the_standard_library_is_seen(text):
    assert ways_out(text)


def test_the_product_has_no_way_out_by_the_standard_library():
    for path in (path for package in PRODUCT for path in (ROOT / package).rglob("*.py")):
        if not path.is_relative_to(ROOT / "services" / "sync" / "egress"):
            assert not ways_out(path.read_text()), path
