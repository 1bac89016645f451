"""What may get into an image: the product's has no simulator and no way to reach one."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ops.local.layout import CRM_NAME
from tests.deploy.pods import ROOT, containers, workloads

PRODUCT, SANDBOX = ROOT / ".dockerignore", ROOT / "sandbox" / "Dockerfile.dockerignore"
COMPOSITION = "ops/local/sync"
"""The one place that hands the egress guard an injected name (tests/rules/test_rules_files.py)."""
FILES = {
    "docker-compose.yml": yaml.safe_load((ROOT / "docker-compose.yml").read_text()),
    "compose.test.yml": yaml.safe_load((ROOT / "compose.test.yml").read_text()),
}


def is_sent(path: str, patterns: list[str]) -> bool:
    """Whether the engine gets a file to build from: the last pattern that matches decides."""
    sent = True
    parts = path.split("/")
    places = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for pattern in patterns:
        plain = pattern.removeprefix("!")
        anywhere = parts if plain.startswith("**/") else []
        if fnmatch.filter([*places, *anywhere], plain.removeprefix("**/")):
            sent = pattern.startswith("!")
    return sent


def context(ignore: Path) -> set[str]:
    """The tracked files that an image can be built from."""
    lines = (line.strip() for line in ignore.read_text().splitlines())
    patterns = [line for line in lines if line and line[0] != "#"]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {path for path in listed.stdout.splitlines() if is_sent(path, patterns)}


def test_the_product_can_be_built_from_neither_the_sandbox_nor_its_composition():
    sent = context(PRODUCT)
    assert "kit/logs.py" in sent
    assert "ops/local/layout.py" in sent
    assert not {path for path in sent if path.startswith(("sandbox/", "tests/", "bench/"))}
    assert not {path for path in sent if path.startswith(COMPOSITION)}
    users = {p for p in sent if p.endswith(".py") and "InjectedName" in (ROOT / p).read_text()}
    assert all(path.startswith("services/sync/egress/") for path in users)


def test_every_file_that_the_product_needs_is_sent_and_copied():
    sent = {path for path in context(PRODUCT) if path.endswith(".py")}
    packages = ("kit", "contracts", "tenantdb", "services", "gateway", "ops")
    code = {str(p.relative_to(ROOT)) for one in packages for p in (ROOT / one).rglob("*.py")}
    assert sent == {path for path in code if not path.startswith(COMPOSITION)}
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(packages) <= set(copied)


def test_the_sandbox_adds_what_the_product_lacks_and_nothing_else():
    sent = context(SANDBOX)
    assert all(path.startswith(("sandbox/", f"{COMPOSITION}/")) for path in sent)
    assert f"{COMPOSITION}/__main__.py" in sent
    assert "sandbox/dataverse/__main__.py" in sent
    text = (ROOT / "sandbox" / "Dockerfile").read_text()
    assert re.findall(r"^FROM (.+)$", text, re.MULTILINE) == ["bulkhead:local"]
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001:10001"


def test_only_backup_has_the_client_programs_of_postgresql():
    """What `docker build` makes without a word is the product's image, which has none."""
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    named = {one.split()[2]: one for one in stages}
    assert list(named)[-1] == "program"
    assert named["program"].startswith("code AS ")
    assert [name for name, one in named.items() if "COPY --from=clients" in one] == ["backup"]
    assert [name for name, one in named.items() if "clients.txt" in one] == ["clients"]
    for name, service in FILES["docker-compose.yml"]["services"].items():
        if "build" in service:
            of_backup = name.removeprefix("migrate-") == "backup"
            image, target = (
                ("bulkhead-backup:local", "backup") if of_backup else ("bulkhead:local", "program")
            )
            assert (service["image"], service["build"]["target"]) == (image, target), name


def test_kubernetes_gives_the_client_programs_to_backup_alone(manifests):
    images = {
        name: {one["image"] for one in containers(pod) if one["image"].startswith("bulkhead")}
        for name, pod in workloads(manifests).items()
    }
    assert images.pop("backup") == {"bulkhead-backup:local"}
    assert all(one <= {"bulkhead:local"} for one in images.values())


def test_only_the_overlay_for_tests_names_the_simulator():
    plain, overlay = FILES["docker-compose.yml"], FILES["compose.test.yml"]
    assert {one["image"] for one in plain["services"].values() if "build" in one} == {
        *("bulkhead:local", "bulkhead-backup:local")
    }
    assert {one["image"] for one in overlay["services"].values()} == {"bulkhead-sandbox:local"}
    assert set(overlay["services"]) - set(plain["services"]) == {"simulator", "simulator-files"}
    sync = overlay["services"]["sync"]
    assert sync["command"][:3] == ["python", "-m", COMPOSITION.replace("/", ".")]
    assert sync["command"][3] == CRM_NAME
    simulator = overlay["services"]["simulator"]
    assert f"--name={CRM_NAME}" in simulator["command"]
    assert f"--port={sync['command'][4]}" in simulator["command"]
    published = [port for one in overlay["services"].values() for port in one.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("file", FILES)
def test_every_container_is_without_rights_on_the_machine(file):
    """Official images of servers step down from root by themselves and keep their capabilities."""
    for name, service in FILES[file]["services"].items():
        assert not service.keys() & {"privileged", "devices", "pid", "ipc"}, name
        if service["image"].startswith(("postgres:", "rabbitmq:")) or name == "sync":
            continue
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is (name != "secrets"), name


def test_every_file_that_starts_containers_is_started_by_compose_test():
    """A file that nobody starts is wrong sooner or later."""
    started = (ROOT / "tests" / "compose" / "installation.py").read_text()
    files = {path.name for path in ROOT.glob("*compose*.y*ml")}
    assert files == set(FILES)
    assert all(f'"{name}"' in started for name in files)
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(
        r"^compose-test: setup .*\n\t@\$\(BIN\)/python -m tests.compose$", makefile, re.M
    )
