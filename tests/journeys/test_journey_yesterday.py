"""`make run` goes on with what an earlier commit's `make run` has left: data, keys, vault, CRM."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.api import Login, until
from ops.local.layout import Layout
from ops.local.suite import running
from ops.secrets import read_json
from ops.story.crm import StoryCrm, writes
from ops.story.material import companies, ndjson
from ops.story.scene import CHOSEN, Scene, SceneTenant, scene
from ops.story.syncing import KEY, arrived, settled
from tests.ports import PORTS
from tests.yesterday.made import ARCHIVES, lay

COUNTS = {
    "Alder Trading": {"organisation": 503, "person": 2000},
    "Birch Foods": {"organisation": 503, "person": 200},
}
Fingerprints = dict[str, dict[str, tuple[int, str]]]


@dataclass(frozen=True)
class Continued:
    """The suite of today on yesterday's folder, and the tenants' records when it had started."""

    stage: Scene
    found: Fingerprints

    @property
    def a(self) -> SceneTenant:
        return self.stage.tenants["Alder Trading"]


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda one: one.name.split(".")[0])
async def continued(request, scratch: Path) -> AsyncIterator[Continued]:
    layout = Layout(scratch / f"yesterday-{request.param.name.split('.')[0]}", PORTS)
    await lay(request.param, layout)
    async with running(layout):
        known = read_json(layout.credentials)
        ca = layout.certificates / "authority.pem"
        crm = StoryCrm(layout.ports["simulator"], ca, layout.root / "simulator")
        operator = Login(**known["operator"])
        async with scene(layout.url, ca, operator, crm, layout.crm_url) as stage:
            for tenant, one in known["tenants"].items():
                login = Login(one["email"], one["password"], tenant)
                api = await stage.session(login)
                stage.tenants[one["name"]] = SceneTenant(one["name"], tenant, api, login)
            found = {name: await one.fingerprint() for name, one in stage.tenants.items()}
            yield Continued(stage, found)


def test_there_is_an_installation_to_go_on_with():
    assert ARCHIVES


async def test_everybody_logs_in_and_every_record_is_there(continued):
    listed = (await continued.stage.operator.get("/v1/tenants"))["tenants"]
    assert {one["name"]: one["state"] for one in listed} == dict.fromkeys(COUNTS, "active")
    counts = {
        name: {module: count for module, (count, _) in one.items()}
        for name, one in continued.found.items()
    }
    assert counts == COUNTS
    names = {company["symbol"]: company["name"] for company in companies()}
    for tenant in continued.stage.tenants.values():
        records = await tenant.records("organisation")
        assert {one["key"]: one["fields"]["name"] for one in records} == names


async def test_the_connection_goes_on_where_it_was(continued):
    """One organisation changes: its one column is sent, and nothing is sent a second time."""
    stage, a = continued.stage, continued.a
    (connection,) = (await a.api.get(a.path("connections")))["connections"]
    await until("nothing is under way", lambda: settled(a, connection["id"]))
    assert len(await arrived(stage)) == len(companies())
    chosen = companies()[-1]
    change = {"key": chosen["symbol"], "fields": {"headquarters": "Yesterday (went on)"}}
    head = {"content-type": "application/x-ndjson"}
    path = a.path("records/organisation/bulk")
    await a.api.call("POST", path, content=ndjson([change]), headers=head)
    column = CHOSEN["headquarters"]

    async def has_arrived() -> bool:
        rows = await arrived(stage)
        there = rows[chosen["symbol"]][column] == "Yesterday (went on)"
        return there and await settled(a, connection["id"])

    await until("the change arrives", has_arrived)
    sent = writes(await stage.crm.requests())
    assert [fields for _, fields in sent] == [{column: "Yesterday (went on)"}]
    assert KEY in sent[0][0]


async def test_a_full_of_yesterday_restores_its_tenant_and_nobody_else(continued):
    a = continued.a
    backups = (await a.api.get(a.path("backups")))["backups"]
    oldest = min(backups, key=lambda one: one["id"])
    assert oldest["state"] == "verified"
    ids = [one["id"] for one in await a.records("organisation")]
    await a.api.post(a.path("records/organisation/bulk-delete"), {"ids": ids})
    planned = await a.api.post(a.path("restores"), {"backup": oldest["id"]})
    path = a.path(f"restores/{planned['id']}")
    await a.api.post(f"{path}/execute")

    async def has_ended() -> str | None:
        state = (await a.api.get(path))["state"]
        return state if state in {"completed", "failed"} else None

    assert await until("the restore ends", has_ended) == "completed"
    now = {name: await one.fingerprint() for name, one in continued.stage.tenants.items()}
    assert now == continued.found
