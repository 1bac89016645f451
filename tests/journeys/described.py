"""Runs Schemathesis on the API document, as it is, against the edge of a running suite."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ops import bodies
from ops.api import Login, until
from ops.story.opening import sign_up
from ops.story.scene import Scene, SceneTenant, new_password
from ops.story.syncing import connect, connection_body
from tests.journeys.schemathesis_callers import LOCKED_OUT

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
EVERYBODY = "replace_global_allowlist"
"""It may shut out everybody, so it is tried last, and where nothing comes after it."""
SHUTTING = {*LOCKED_OUT, "suspend_tenant", "replace_tenant_allowlist"}
"""They may shut a tenant out (a restore, while it exchanges the database): they get their own."""
MEANING = {
    "accept_as_operator": "a password that is too easy",
    "accept_as_user": "a password that is too easy",
    "change_connection": "the CRM is looked at first",
    "change_record": "fields are of the tenant's own modules",
    "choose_fields": "fields are of the tenant's own modules",
    "create_connection": "the CRM is looked at first",
    "create_tenant": "characters that show nothing, or not what is there",
    "create_record": "fields are of the tenant's own modules",
    "delete_records": "an id that names nothing",
    "import_records": "columns are of the tenant's own modules",
    "invite_by_operator": "operators have fewer levels than tenants",
    "invite_user": "characters that are a blank or an @ in another form",
    "list_records": "a filter, order or cursor that is not of this module",
    "log_in_operator": "characters that are a blank or an @ in another form",
    "log_in_user": "characters that are a blank or an @ in another form",
    "put_credentials": "the CRM is looked at first",
    "read_changes": "a position that the tenant's journal has never had",
    "replace_allowlist": "host bits in a range",
    "replace_global_allowlist": "host bits in a range",
    "replace_tenant_allowlist": "host bits in a range",
    "resync_connection": "a key without its module",
    "retry_parked": "more ways than one, or none, to say which records",
    "upsert_records": "fields are of the tenant's own modules",
}
"""Operations that may refuse (422) what their schema allows, and what a schema cannot say of it."""
_CONFIG = """
[generation]
allow-x00 = false  # no JSON of ours holds NUL, a rule that would stand at every text

[parameters]
{there}

[checks]
# 412: no version of ours is known before it is read
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 429]
# 428 is what RFC 6585 has for a missing If-Match
missing_required_header.expected-statuses = [400, 401, 403, 404, 422, 428]
# whatever says that it is the caller's fault: 412, 413 and 431 come before the schema is looked at
negative_data_rejection.expected-statuses = ["4xx"]
unsupported_method.enabled = false  # Envoy knows no QUERY: 400 before any service hears of it

[[operations]]
include-operation-id = ["delete_connection", "delete_record"]
parameters = {{ "path.connection" = "{connection}", "path.record" = "{record}" }}

[[operations]]
include-operation-id = {shutting}
parameters = {{ "path.tenant" = "{shut}", "path.restore" = "{planned}" }}

[[operations]]
include-operation-id = {meaning}
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 412, 422, 429]
"""


@dataclass
class Described:
    """Who is there to call, and where."""

    folder: Path
    url: str
    ca: Path

    async def run(self, *options: str) -> tuple[int, str]:
        """Exit code (0: no difference) and what Schemathesis said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(self.folder / "schemathesis.toml"), "run", str(DOCUMENT)),
            *("--url", self.url, "--tls-verify", str(self.ca), "--seed", "1", "--no-color"),
            *options,
            cwd=self.folder,
            env=dict(os.environ) | self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        return {
            "CALLERS": str(self.folder / "callers.json"),
            "SCHEMATHESIS_HOOKS": "tests.journeys.schemathesis_callers",
            "PYTHONPATH": str(ROOT),
        }


async def described(stage: Scene, folder: Path) -> Described:
    """New tenants and an operator of its own: what is tried may lock a name."""
    tenant = await sign_up(stage, "described", "Described")
    shut = await sign_up(stage, "shut", "Shut out now and then")
    leaving = await sign_up(stage, "leaving", "Leaving")
    logins = {
        "administrator": tenant.login,
        "locked out": shut.login,
        "leaving": leaving.login,
        "operator": await _operator(stage),
    }
    known = {
        who: [f"{login.realm_path}/login", login.email, login.password]
        for who, login in logins.items()
    }
    callers = {"url": stage.url, "ca": str(stage.ca), "logins": known}
    (folder / "callers.json").write_text(json.dumps(callers))
    (folder / "schemathesis.toml").write_text(await _config(stage, tenant, shut))
    return Described(folder, stage.url, stage.ca)


async def _operator(stage: Scene) -> Login:
    login = Login("described@bulkhead.example", new_password())
    body = bodies.invitation_by_operator(login.email, 80, None)
    invited = await stage.operator.post("/v1/invitations", body)
    await (await stage.session(login)).accept(invited["invitation"])
    return login


async def _config(stage: Scene, tenant: SceneTenant, shut: SceneTenant) -> str:
    there = {"tenant": tenant.id, "module": "organisation", **await _things(stage, tenant)}
    return _CONFIG.format(
        there="\n".join(f'"path.{name}" = "{value}"' for name, value in there.items()),
        connection=await connect(stage, tenant),
        record=await _record(tenant, "deleted"),
        shut=shut.id,
        planned=(await _planned(shut))["restore"],
        shutting=json.dumps(sorted(SHUTTING)),
        meaning=json.dumps(sorted(MEANING)),
    )


async def _things(stage: Scene, tenant: SceneTenant) -> dict[str, str]:
    """One of each that has an id, so that more is seen of an operation than its 404."""
    record = await _record(tenant, "kept")
    planned = await _planned(tenant)
    # of a key column of its own, and without a choice: the CRM is shared, and nothing may leave
    body = connection_body(stage, stage.crm_url, "accountnumber")
    made = await tenant.api.post(tenant.path("connections"), body)
    await tenant.invite("somebody@described.example", level=25)
    users = (await tenant.api.get(tenant.path("users")))["users"]
    return {
        "connection": str(made["id"]),
        "record": record,
        **planned,
        "user": str(users[-1]["id"]),
    }


async def _planned(tenant: SceneTenant) -> dict[str, str]:
    """A verified backup and a restore of it that only has to be executed."""
    asked = await tenant.api.post(tenant.path("backups"))

    async def verified() -> bool:
        found = await tenant.api.get(tenant.path(f"backups/{asked['id']}"))
        return bool(found["state"] == "verified")

    await until("the backup is verified", verified)
    planned = await tenant.api.post(tenant.path("restores"), bodies.restore(asked["id"]))
    return {"backup": str(asked["id"]), "restore": str(planned["id"])}


async def _record(tenant: SceneTenant, key: str) -> str:
    body = bodies.row(key, {"name": key})
    return str((await tenant.api.post(tenant.path("records/organisation"), body))["id"])
