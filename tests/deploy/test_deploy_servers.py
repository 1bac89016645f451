"""PostgreSQL and RabbitMQ in containers start, start again, and have the launcher's settings."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ops.installation import make_secrets
from ops.local.postgres import INITDB
from tests.deploy.pods import ROOT, containers, workloads

POSTGRES = ROOT / "deploy" / "postgres"
SERVERS = {"bootstrap", "postgres", "rabbitmq"}
"""Whose secrets are read as uid 999, which the official images have for their servers."""


def run_secrets(service, folder: Path) -> None:
    """The service's own command with its own capabilities, on folders below `folder`."""
    capabilities = [f"-{name.lower()}" for name in service["cap_drop"]]
    capabilities += [f"+{name.lower()}" for name in service["cap_add"]]
    command = [*service["entrypoint"], *service["command"]]
    for place in ("/run/secrets/bulkhead", "/var/lib/bulkhead", "/run/edge"):
        command = [re.sub(rf"{place}\b", f"{folder}{place}", part) for part in command]
        (folder / place[1:]).mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["setpriv", "--bounding-set", ",".join(capabilities), *command],
        cwd=ROOT,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_secrets_are_made_and_given_to_those_who_read_them_at_every_start(compose, tmp_path):
    service = compose["services"]["secrets"]
    service = service | {
        "entrypoint": [part.replace("$$", "$") for part in service["entrypoint"]],
    }
    for _start in range(2):
        run_secrets(service, tmp_path)
        top = tmp_path / "run/secrets/bulkhead"
        assert (top.stat().st_mode & 0o777, top.stat().st_uid) == (0o755, 0)
        for path in top.rglob("*"):
            owner = 999 if path.relative_to(top).parts[0] in SERVERS else 10001
            assert (path.stat().st_uid, path.stat().st_gid) == (owner, owner), path
            assert path.stat().st_mode & 0o077 == 0, path
        assert (tmp_path / "run/edge").stat().st_uid == 10001
        assert (tmp_path / "var/lib/bulkhead").stat().st_uid == 10001


def test_data_is_made_as_the_launcher_makes_it(compose, dev):
    given = compose["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    (server, _bootstrap) = workloads(dev)["postgres"]["containers"]
    (pod,) = [one["value"] for one in server["env"] if one["name"] == "POSTGRES_INITDB_ARGS"]
    assert given.split() == pod.split() == list(INITDB)


def test_every_server_reads_the_same_settings_and_rules(compose, dev):
    server = compose["services"]["postgres"]
    (pod, _bootstrap) = workloads(dev)["postgres"]["containers"]
    assert server["command"] == pod["args"]
    (setting,) = server["command"][2:]
    assert setting == "config_file=/etc/bulkhead/postgresql.containers.conf"
    assert "./deploy/postgres:/etc/bulkhead:ro" in server["volumes"]
    assert {"name": "access", "mountPath": "/etc/bulkhead", "readOnly": True} in pod["volumeMounts"]
    lines = (POSTGRES / "postgresql.containers.conf").read_text().splitlines()
    needed = {"include 'postgresql.conf'", "hba_file = '/etc/bulkhead/pg_hba.containers.conf'"}
    assert needed <= set(lines)
    listed = yaml.safe_load((POSTGRES / "kustomization.yaml").read_text())
    (generated,) = listed["configMapGenerator"]
    assert set(generated["files"]) == {one.name for one in POSTGRES.glob("*.conf")}


def test_no_server_logs_what_a_statement_holds():
    """A failed ALTER ROLE has a password in it."""
    lines = (POSTGRES / "postgresql.conf").read_text().splitlines()
    settings = dict(line.split(" = ", 1) for line in lines if line and line[0] != "#")
    assert settings["log_statement"] == "none"
    assert settings["log_min_error_statement"] == "panic"
    assert settings["log_parameter_max_length_on_error"] == "0"


def test_the_superuser_comes_in_by_the_socket_alone(compose, dev, tmp_path):
    """A line for the network would need the pods' addresses: `samenet` fits none that is a /32."""
    lines = (POSTGRES / "pg_hba.containers.conf").read_text().splitlines()
    rules = [line.split() for line in lines if line and line[0] != "#"]
    assert rules == [["local", "all", "postgres", "peer"], ["include", "pg_hba.conf"]]
    common = (POSTGRES / "pg_hba.conf").read_text()
    assert not re.search(r"\bpostgres\b", common)
    assert common.splitlines()[-1].split() == ["host", "all", "all", "all", "reject"]
    make_secrets(tmp_path, "database", "broker", ("localhost",))
    url = (tmp_path / "bootstrap" / "superuser_url").read_text().strip()
    assert url == "postgresql://postgres@/postgres?host=/var/run/postgresql"
    services = compose["services"]
    assert services["bootstrap"]["user"] == "999:999"
    for name in ("postgres", "bootstrap"):
        assert "socket:/var/run/postgresql" in services[name]["volumes"]
    pod = workloads(dev)["postgres"]
    assert pod["securityContext"]["runAsUser"] == 999
    mount = {"name": "socket", "mountPath": "/var/run/postgresql"}
    assert all(mount in one["volumeMounts"] for one in pod["containers"])
    assert "ops.installation bootstrap" in pod["containers"][1]["command"][-1]


def test_a_probe_of_the_database_is_not_refused_by_its_rules(compose, dev):
    """A refused probe counts as up, and writes a line into the server's log each time."""
    (server, _bootstrap) = workloads(dev)["postgres"]["containers"]
    probe = server["readinessProbe"]["exec"]["command"]
    assert probe == compose["services"]["postgres"]["healthcheck"]["test"][1:]
    role = probe[probe.index("-U") + 1]
    database = probe[probe.index("-d") + 1]
    rules = [line.split() for line in (POSTGRES / "pg_hba.conf").read_text().splitlines()]
    assert ["host", database, role, "all", "scram-sha-256"] in rules
    assert probe[probe.index("-h") + 1] == "127.0.0.1"  # not yet there while data is made


def test_a_restart_does_not_open_what_is_kept_to_the_group(manifests):
    """fsGroup by itself makes every file of a volume readable by the group at each start: RabbitMQ
    then refuses its cookie and never starts again."""
    claims = {
        one["metadata"]["name"]: one["spec"].get("volumeClaimTemplates", [])
        for one in manifests
        if one["kind"] == "StatefulSet"
    }
    kept = 0
    for name, pod in workloads(manifests).items():
        if claims.get(name) or any("persistentVolumeClaim" in one for one in pod["volumes"]):
            kept += 1
            assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch", name
    assert kept == 1 + len(claims)


def test_the_broker_tells_its_log_to_the_engine_and_every_log_is_rotated(compose, tmp_path):
    make_secrets(tmp_path, "database", "broker", ("localhost",))
    lines = (tmp_path / "rabbitmq" / "rabbitmq.conf").read_text().splitlines()
    assert {"log.console = true", "log.file = false"} <= set(lines)
    for name, service in compose["services"].items():
        assert service["logging"] == {"driver": "local"}, name


def test_every_container_of_ours_has_the_image_that_is_built(manifests, compose):
    images = {one["image"] for pod in workloads(manifests).values() for one in containers(pod)}
    assert {one for one in images if "bulkhead" in one} == {
        "bulkhead:local",
        "bulkhead-backup:local",
    }
    assert all(":" in one for one in images)
    ours = {one["image"] for one in compose["services"].values()}
    assert images <= ours
