"""A story through the whole suite leaves traces that join, and nothing of what it was about."""

import secrets
from collections.abc import Awaitable, Callable

import pytest

from ops.answers import ApiRefused
from ops.api import Login, until
from ops.local.layout import CRM_NAME
from ops.story.material import ndjson
from ops.story.opening import sign_up
from ops.story.scene import CHOSEN, Scene, SceneTenant
from ops.story.syncing import connection_body
from tests.eventually import eventually
from tests.otlp_collector import Collector

CANARY = f"canary{secrets.token_hex(6)}"
CLIENTS = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
ADVANCED = "tenants.journal.advanced.v1"
RECORDS = "/t/{tenant}/v1/records/{module}"
BACKUPS = "/t/{tenant}/v1/backups"


@pytest.fixture(scope="module")
async def tenant(stage: Scene) -> SceneTenant:
    """Signed up, with an administrator of a name that is to be seen nowhere."""
    made = await sign_up(stage, f"{CANARY}-tenant", f"Tenant {CANARY}")
    login = Login(f"{CANARY}@example.com", f"{CANARY}-{secrets.token_urlsafe(12)}", made.id)
    api = await stage.session(login)
    await api.accept(await made.invite(login.email, level=80))
    await api.log_in()
    return SceneTenant(made.name, made.id, api, login)


def record(number: int) -> dict[str, object]:
    fields = dict.fromkeys(CHOSEN, f"{CANARY} {number}") | {"founded": "1999"}
    return {"key": f"{CANARY}-{number}", "fields": fields}


async def write(tenant: SceneTenant, number: int, **headers: str) -> None:
    path = tenant.path("records/organisation")
    answer = await tenant.api.raw("POST", path, json=record(number), headers=headers)
    assert answer.status_code == 201, answer.text


async def connect(stage: Scene, tenant: SceneTenant) -> str:
    body = connection_body(stage, stage.crm_url) | {"name": f"CRM {CANARY}"}
    made = await tenant.api.post(tenant.path("connections"), body)
    path = tenant.path(f"field-choices/{made['id']}/organisation")
    await tenant.api.put(path, {"fields": sorted(CHOSEN)})
    return str(made["id"])


def arrived(tenant: SceneTenant, connection: str, **counts: int) -> Callable[[], Awaitable[bool]]:
    async def are() -> bool:
        found = await tenant.api.get(tenant.path(f"connections/{connection}"))
        return bool(found["outcomes"] == counts)

    return are


async def refusals(stage: Scene, tenant: SceneTenant) -> None:
    """Whatever a client gets wrong has the canary in it, too."""
    wrong = Login(tenant.login.email, f"{CANARY}-wrong-password", tenant.id)
    stranger = Login(f"{CANARY}@nowhere.example.com", f"{CANARY}-wrong-password", tenant.id)
    for login in (wrong, stranger):
        with pytest.raises(ApiRefused):
            await (await stage.session(login)).log_in()
    records = tenant.path("records/organisation")
    for method, path, sent in (
        ("GET", f"{records}?{CANARY}={CANARY}", {}),
        ("GET", f"{records}?cursor={CANARY}", {}),
        ("GET", f"/{CANARY}/{CANARY}", {}),
        ("POST", records, {"json": {"key": CANARY, "fields": {CANARY: CANARY}}}),
        ("POST", records, {"content": f'{{"{CANARY}'.encode()}),
        ("POST", tenant.path(f"records/{CANARY}"), {"json": record(0)}),
    ):
        answer = await tenant.api.raw(method, path, **sent)
        assert 400 <= answer.status_code < 500, (method, path)


async def back_up(tenant: SceneTenant) -> None:
    path = tenant.path(f"backups/{(await tenant.api.post(tenant.path('backups')))['id']}")

    async def is_verified() -> bool:
        return bool((await tenant.api.get(path))["state"] == "verified")

    await until("the backup is verified", is_verified)


async def test_a_write_is_followed_into_the_crm_and_nothing_of_it_is_told(
    stage: Scene, tenant: SceneTenant, collector: Collector
) -> None:
    connection = await connect(stage, tenant)
    await tenant.api.call(
        "POST",
        tenant.path("records/organisation/bulk"),
        content=ndjson([record(number) for number in range(5)]),
        headers={"content-type": "application/x-ndjson"},
    )
    await until("five rows arrive", arrived(tenant, connection, ok=5))
    await eventually(lambda: led_to(collector, f"POST {RECORDS}/bulk", "push"))  # all is read
    await stage.crm.add_fault(
        kind="status", path="$batch", status=503, message=f"no {CANARY}", times=1
    )
    await write(tenant, 5, traceparent=CLIENTS)
    await until("the sixth arrives", arrived(tenant, connection, ok=6))
    await refusals(stage, tenant)
    await back_up(tenant)
    await eventually(lambda: joined(collector, tenant))
    await eventually(lambda: led_to(collector, f"POST {BACKUPS}", "run full"))
    secret = stage.crm.credentials()["client_secret"]
    told = b"".join(collector.raw)
    assert {one.service for one in collector.spans} >= {
        *("auth", "tenants", "sync", "backup", "gateway", "relay")
    }
    for word in (CANARY, tenant.login.password, secret, CRM_NAME, "example.com", "SELECT"):
        assert word.encode() not in told, word


def led_to(collector: Collector, request: str, work: str) -> bool:
    """Whether work that has ended points to the request that asked for it."""
    traces = {one.trace for one in collector.named(request)}
    return any(link.trace in traces for one in collector.named(work) for link in one.links)


def joined(collector: Collector, tenant: SceneTenant) -> bool:
    """From the client's trace by a link to ours; by notices to sync; by a link to the push."""
    ours = [
        one for one in collector.spans if any(link.trace == CLIENTS[3:35] for link in one.links)
    ]
    if len(ours) != 1:
        return False
    (begun,) = ours
    story = {(one.service, one.name) for one in collector.of(begun.trace)}
    pushes = [
        one
        for one in collector.named("push", "sync")
        if any(link.trace == begun.trace for link in one.links)
    ]
    parts = {(one.service, one.name) for push in pushes for one in collector.of(push.trace)}
    assert (begun.service, begun.name, begun.parent) == ("tenants", f"POST {RECORDS}", "")
    assert begun.trace != CLIENTS[3:35]
    assert begun.attributes["bulkhead.tenant"] == tenant.id
    return story >= {
        ("tenants", "write tenant database"),
        ("tenants", f"send {ADVANCED}"),
        ("relay", f"publish {ADVANCED}"),
        ("sync", f"process {ADVANCED}"),
    } and parts >= {("sync", "call tenants"), ("sync", "call to a CRM")}
