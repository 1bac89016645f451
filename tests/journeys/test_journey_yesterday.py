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


async def move(a: SceneTenant, symbol: str, place: str) -> None:
    change = {"key": symbol, "fields": {"headquarters": place}}
    head = {"content-type": "application/x-ndjson"}
    await a.api.call(
        "POST", a.path("records/organisation/bulk"), content=ndjson([change]), headers=head
    )


async def test_the_connection_goes_on_where_it_was(continued):
    """Nothing is sent a second time but one row that changes: whole at first, for yesterday did not
    keep the CRM's id of it, and by that id, with its one column, from then on."""
    stage, a = continued.stage, continued.a
    (connection,) = (await a.api.get(a.path("connections")))["connections"]
    await until("nothing is under way", lambda: settled(a, connection["id"]))
    before = await arrived(stage)
    assert len(before) == len(companies())
    symbol, column = companies()[-1]["symbol"], CHOSEN["headquarters"]
    whole = {theirs: before[symbol][theirs] for theirs in CHOSEN.values()}
    for place in ("Yesterday (went on)", "Yesterday (went on again)"):
        await move(a, symbol, place)

        async def has_arrived(place: str = place) -> bool:
            there = (await arrived(stage))[symbol][column] == place
            return there and await settled(a, connection["id"])

        await until("the change arrives", has_arrived)
    (first, second) = writes(await stage.crm.requests())
    assert KEY in first[0]
    assert first[1] == {**whole, column: "Yesterday (went on)"}
    assert before[symbol]["accountid"] in second[0]
    assert second[1] == {column: "Yesterday (went on again)"}


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
