"""The command line as an operator uses it: through the gateway, JSON out, honest exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ops.story.scene import CHOSEN
from ops.story.syncing import KEY
from tests.journeys.connection_files import written
from tests.journeys.shell import Shell

NAME = "Command line"
ADMIN = "admin@cli.example.com"


@pytest.fixture(scope="module")
async def shell(suite, stage) -> Shell:
    return Shell(suite.layout.credentials)


@pytest.fixture(scope="module")
async def tenant(shell) -> str:
    """Signed up by command, with an administrator whose login the credentials file remembers."""
    made = await shell.json("tenant", "create", NAME, "--allow", "127.0.0.1/32", "--admin", ADMIN)
    words = ("user", "accept", ADMIN, "--tenant", made["id"], "--name", NAME, "--generate")
    accepted = await shell.json(*words, given=made["invitation"] + "\n")
    assert accepted["level"] == 80
    return str(made["id"])


async def test_a_tenant_is_signed_up_listed_suspended_and_resumed(shell, tenant):
    assert (await shell.json("status"))["tenants"]["active"] >= 1
    await shell.json("tenant", "suspend", tenant)
    states = {one["id"]: one["state"] for one in await shell.json("tenant", "list")}
    assert states[tenant] == "suspended"
    await shell.json("tenant", "resume", tenant)


async def test_the_credentials_file_is_private_and_nothing_prints_a_password(suite, shell, tenant):
    assert suite.layout.credentials.stat().st_mode & 0o777 == 0o600
    known = json.loads(suite.layout.credentials.read_text())
    password = known["tenants"][tenant]["password"]
    for words in (["status"], ["tenant", "list"], ["backup", "list", "--tenant", NAME]):
        done = await shell.run(*words)
        assert password not in done.stdout + done.stderr


async def test_an_allowlist_is_shown_and_set(shell, tenant):
    assert (await shell.json("allowlist", "show", tenant))["ranges"] == ["127.0.0.1/32"]
    ranges = ["127.0.0.0/8", "2001:db8::/32"]
    await shell.json("allowlist", "set", tenant, *ranges)
    assert sorted((await shell.json("allowlist", "show", tenant))["ranges"]) == sorted(ranges)


async def test_a_connection_is_added_listed_and_tested(shell, tenant, stage, tmp_path):
    words = written(tmp_path, stage, choose={"organisation": ["name"]})
    made = await shell.json("connection", "add", *words, "--tenant", NAME)
    assert stage.crm.credentials()["client_secret"] not in str(made)
    listed = await shell.json("connection", "list", "--tenant", NAME)
    assert [one["id"] for one in listed] == [made["id"]]
    await shell.json("connection", "test", made["id"], "--tenant", NAME)


async def test_a_connection_is_watched_repaired_read_and_removed_by_command(
    shell, tenant, tmp_path
):
    [made] = await shell.json("connection", "list", "--tenant", NAME)

    async def told(verb: str, *words: str) -> Any:
        return await shell.json("connection", verb, made["id"], "--tenant", NAME, *words)

    pushed = await told("push")
    assert pushed["state"] == "done"
    assert (await told("watch"))["state"] == "done"
    assert pushed["id"] in [run["id"] for run in await told("runs")]
    assert (await told("show"))["state"] == "active"
    assert await told("outcomes", "--state", "parked", "--code", "value-refused") == []
    assert await told("summary") == []
    assert await told("retry", "--code", "value-refused") == {"retried": 0}
    calls = await told("ledger", "--answer", "2xx", "--limit", "500")
    assert {call["operation"] for call in calls} >= {"token", "who-am-i"}
    assert (await told("run", pushed["id"])).items() >= pushed.items()
    await told("pause")
    assert (await shell.run("connection", "push", made["id"], "--tenant", NAME)).returncode == 1
    await told("resume")
    file = tmp_path / "ledger.jsonl"
    written = await told("export", "--format", "jsonl", "--file", str(file))
    assert written["bytes"] == file.stat().st_size
    assert len(file.read_text().splitlines()) >= len(calls)
    await told("remove")
    assert (await shell.run("connection", "show", made["id"], "--tenant", NAME)).returncode == 1


async def add_another(shell: Shell, stage: Any, folder: Path) -> Any:
    """A connection that chooses one field; two are mapped."""
    mapped = {name: CHOSEN[name] for name in ("name", "sector")}
    words = written(
        folder,
        stage,
        modules={"organisation": {"table": "accounts", "key_attribute": KEY, "fields": mapped}},
        choose={"organisation": ["name"]},
        secret_expires_at="2027-06-30T00:00:00Z",
    )
    return await shell.json("connection", "add", *words, "--tenant", NAME)


async def test_a_connection_is_changed_looked_at_and_resynced_by_command(
    shell, tenant, stage, tmp_path
):
    made = await add_another(shell, stage, tmp_path)
    again = await add_another(shell, stage, tmp_path)
    assert (again["id"], again["done"]) == (made["id"], [])

    async def told(verb: str, *words: str) -> Any:
        return await shell.json("connection", *verb.split(), made["id"], "--tenant", NAME, *words)

    assert (await told("test"))["ok"] is True
    assert [one["module"] for one in await told("dry-run", "--limit", "5")] == ["organisation"]
    assert await told("compare") == [] or (await told("compare"))[0]["module"] == "organisation"
    assert await told("resync", "--module", "organisation") == {"resynced": 0}
    fields = {"name": CHOSEN["name"], "headquarters": CHOSEN["headquarters"]}
    mapping = {"table": "accounts", "key_attribute": KEY, "fields": fields}
    change = {"modules": {"organisation": mapping}, "choose": {"organisation": ["headquarters"]}}
    (tmp_path / "change.json").write_text(json.dumps(change))
    changed = await told("change", str(tmp_path / "change.json"), "--name", "Sales")
    assert changed["done"] == ["connection changed", "fields of organisation chosen"]
    assert (changed["name"], changed["modules"]["organisation"]["fields"]) == ("Sales", fields)
    strange = await shell.run(
        "connection", "change", made["id"], "--tenant", NAME, "--missing", "nothing"
    )
    assert strange.returncode == 1
    assert (await told("show"))["missing"] == "recreate"
    await told("remove")


async def test_a_secret_is_staged_replaced_and_dropped_by_command(shell, tenant, stage, tmp_path):
    made = await add_another(shell, stage, tmp_path)
    secret = ("--secret-file", str(tmp_path / "secret"))

    async def told(verb: str, *words: str) -> Any:
        words = (*verb.split(), made["id"], *words, "--tenant", NAME)
        return await shell.json("connection", "credentials", *words)

    async def slots() -> dict[str, str]:
        return {one["slot"]: one["kind"] for one in await told("list")}

    file = tmp_path / "bulkhead.pem"
    written = await told("certificate", "--file", str(file), "--days", "30")
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    assert certificate.fingerprint(hashes.SHA256()).hex().upper() == written["sha256"]
    assert await slots() == {"current": "secret", "next": "certificate"}
    await told("drop", "next")
    (tmp_path / "other").write_text("one that the CRM does not know yet")
    other = ("--secret-file", str(tmp_path / "other"))
    await told("stage", *other, "--expires-at", "2027-06-30")
    staged = {one["slot"]: one for one in await told("list")}
    assert staged["next"]["expires_at"].startswith("2027-06-30T00:00:00")
    await told("drop", "next")
    await told("put", *secret)
    assert (await slots())["current"] == "secret"
    await shell.json("connection", "remove", made["id"], "--tenant", NAME)


async def test_a_backup_runs_is_listed_and_restored(shell, tenant):
    done = await shell.json("backup", "run", "--tenant", NAME)
    assert done["state"] == "verified"
    listed = await shell.json("backup", "list", "--tenant", NAME)
    assert done["id"] in [one["id"] for one in listed]  # the daily one may be there too
    restored = await shell.json("backup", "restore", done["id"], "--tenant", NAME, "--yes")
    assert restored["state"] == "completed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["tenant", "suspend", "01890000-0000-7000-8000-000000000000"], 1),
        (["backup", "list", "--tenant", "nobody"], 1),
        (["allowlist", "set", "global", "not-a-range"], 1),
        (["tenant", "create"], 2),
        (["nonsense"], 2),
    ],
)
async def test_a_refusal_says_why_and_has_its_exit_code(shell, words, code):
    done = await shell.run(*words)
    assert done.returncode == code
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


async def test_an_edge_that_is_not_there_is_exit_code_3(suite, tmp_path):
    known = json.loads(suite.layout.credentials.read_text())
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(known | {"url": "https://localhost:9"}))
    file.chmod(0o600)
    assert (await Shell(file).run("status")).returncode == 3
