"""The admin API through its own edge: a new list is stored, announced, and live in the answer."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.events import TenantResumed, TenantSuspended
from gateway.app import create_app
from gateway.settings import GatewaySettings
from kit.db import Database
from kit.messaging.memory import MemoryBroker
from kit.sealing import SigningKey
from tests.eventually import eventually
from tests.gateway.edge_parts import (
    HERE,
    OTHER,
    RECORDS,
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
    assert_problem,
    serving,
)

LOOPBACK = "127.0.0.0/8"
OWN = f"/t/{TENANT}/v1/allowlist"
OF_TENANT = f"/v1/allowlists/{TENANT}"
GLOBAL = "/v1/allowlists/global"
FAULTY: list[tuple[list[Any], str]] = [
    ([HERE, "10.0.0.1/8"], "/ranges/1"),
    (["localhost"], "/ranges/0"),
    (["::ffff:127.0.0.1/128"], "/ranges/0"),
    (["127.0.0.1/33"], "/ranges/0"),
    (["127.0.0.1/255.0.0.0"], "/ranges/0"),
    ([True], "/ranges/0"),
    ([2130706433], "/ranges/0"),
    (["x" * 65], "/ranges/0"),
    ([], "/ranges"),
    ([HERE] * 257, "/ranges"),
]


@dataclass
class Gateway:
    """The edge with the real control plane behind it."""

    edge: EdgeUnderTest
    broker: MemoryBroker
    db: Database

    async def put(
        self, path: str, *ranges: Any, by: UUID | None = None, source: str = "127.0.0.1"
    ) -> Any:
        token = self.edge.token(by)
        body = {"ranges": list(ranges)}
        return await self.edge.call(path, token, method="PUT", json=body, source=source)

    async def status(self, tenant: UUID, source: str = "127.0.0.1") -> int:
        path = f"/t/{tenant}/v1/records/organisation"
        answer = await self.edge.call(path, self.edge.token(tenant), source=source)
        return answer.status_code


@contextlib.asynccontextmanager
async def control_plane(settings: GatewaySettings, url: str) -> AsyncIterator[MemoryBroker]:
    settings.database_url_file.write_text(url)
    settings.identities_file.write_text("{}")
    settings.identity_key_file.write_text(SigningKey.generate().seed_base64url())
    settings.identity_key_file.chmod(0o600)
    broker = MemoryBroker()
    app = create_app(settings, broker=broker)
    async with serving(app, settings.upstream("gateway")[1], lifespan="on"):
        yield broker


@pytest.fixture
async def gateway(
    make_settings: MakeSettings,
    start_edge: StartEdge,
    service_db: Callable[[str], Awaitable[str]],
    open_db: Callable[[str], Database],
) -> AsyncIterator[Gateway]:
    settings, url = make_settings(), await service_db("gateway")
    async with start_edge(settings, without=["gateway"]) as edge:
        edge.upstreams.tenants |= {TENANT: "active", OTHER: "active"}
        async with control_plane(settings, url) as broker:
            yield Gateway(edge, broker, open_db(url))


async def test_an_operators_new_list_is_live_when_the_answer_comes(gateway: Gateway) -> None:
    assert await gateway.status(TENANT) == 403
    answer = await gateway.put(OF_TENANT, LOOPBACK)
    assert (answer.status_code, answer.json()["live"]) == (200, True)
    assert await gateway.status(TENANT) == 200
    assert await gateway.status(OTHER) == 403
    await gateway.put(OF_TENANT, "127.0.0.2/32", "2001:db8::/32")
    assert await gateway.status(TENANT) == 403
    assert await gateway.status(TENANT, source="127.0.0.2") == 200
    read = await gateway.edge.call(OF_TENANT, gateway.edge.token(None))
    assert read.json()["ranges"] == ["127.0.0.2/32", "2001:db8::/32"]


async def test_each_change_is_announced_once(gateway: Gateway) -> None:
    await gateway.put(OF_TENANT, LOOPBACK)
    await gateway.put(GLOBAL, LOOPBACK, "192.0.2.0/24")
    async with gateway.db.read() as session:
        rows = await session.all(text("SELECT topic, body FROM outbox ORDER BY seq"))
    assert [row["topic"] for row in rows] == ["gateway.allowlist.changed.v1"] * 2
    assert str(TENANT).encode() in rows[0]["body"]
    assert b'"tenant":null' in rows[1]["body"]


async def test_an_administrator_changes_the_own_list_and_no_other(gateway: Gateway) -> None:
    await gateway.put(OF_TENANT, LOOPBACK)
    await gateway.put(f"/v1/allowlists/{OTHER}", LOOPBACK)
    answer = await gateway.put(OWN, HERE, by=TENANT)
    assert (answer.status_code, answer.json()["ranges"]) == (200, [HERE])
    read = await gateway.edge.call(OWN, gateway.edge.token(TENANT))
    assert read.json()["ranges"] == [HERE]
    assert_problem(await gateway.put(OWN, HERE, by=OTHER), 404, "/problems/not-found")
    for path in (OF_TENANT, GLOBAL):
        answer = await gateway.put(path, "0.0.0.0/0", by=TENANT)
        assert_problem(answer, 403, "/problems/not-permitted")


async def test_nobody_locks_themselves_out_by_mistake(gateway: Gateway) -> None:
    await gateway.put(OF_TENANT, LOOPBACK)
    outside = "/problems/edge-own-address-outside"
    assert_problem(await gateway.put(OWN, "192.0.2.0/24", by=TENANT), 409, outside)
    assert_problem(await gateway.put(GLOBAL, "192.0.2.0/24"), 409, outside)
    assert await gateway.status(TENANT) == 200
    answer = await gateway.put(OWN, "127.0.0.9/32", by=TENANT, source="127.0.0.9")
    assert answer.status_code == 200
    forced = await gateway.put(f"{OWN}?force=true", "::1/128", by=TENANT, source="127.0.0.9")
    assert forced.status_code == 200
    assert await gateway.status(TENANT, source="127.0.0.9") == 403


async def test_a_faulty_range_is_named_and_changes_nothing(gateway: Gateway) -> None:
    await gateway.put(OF_TENANT, LOOPBACK)
    for faulty, pointer in FAULTY:
        answer = await gateway.put(OF_TENANT, *faulty)
        assert_problem(answer, 422, "/problems/request-invalid")
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert "xxx" not in answer.text
    assert await gateway.status(TENANT) == 200


async def test_a_tenant_without_a_list_has_none_to_read(gateway: Gateway) -> None:
    answer = await gateway.edge.call(OF_TENANT, gateway.edge.token(None))
    assert_problem(answer, 404, "/problems/edge-allowlist-not-found")
    slug = answer.json()["type"]
    assert (await gateway.edge.call(slug)).text.startswith("404 There is no address list")


async def test_a_suspended_tenant_is_refused_until_it_is_resumed(gateway: Gateway) -> None:
    """The notice is only a reason to look: what the directory says decides."""
    for path in (OF_TENANT, f"/v1/allowlists/{OTHER}"):
        await gateway.put(path, LOOPBACK)

    async def tenant_answers(status: int) -> bool:
        return await gateway.status(TENANT) == status

    gateway.edge.upstreams.tenants[TENANT] = "suspended"
    await gateway.broker.publish(TenantSuspended(tenant=TENANT).to_message(source="/tenants"))
    await eventually(lambda: tenant_answers(403))
    assert await gateway.status(OTHER) == 200
    answer = await gateway.edge.call(f"/t/{TENANT}/v1/login", method="POST")
    assert_problem(answer, 403, "/problems/edge-address-refused")
    gateway.edge.upstreams.tenants[TENANT] = "active"
    await gateway.broker.publish(TenantResumed(tenant=TENANT).to_message(source="/tenants"))
    await eventually(lambda: tenant_answers(200))


async def test_a_change_of_the_store_by_another_gateway_is_followed(gateway: Gateway) -> None:
    async with gateway.db.write() as session:
        insert = "INSERT INTO allowlist (scope, ranges) VALUES (:scope, ARRAY['127.0.0.0/8'])"
        await session.run(text(insert), {"scope": str(OTHER)})

    async def other_answers() -> bool:
        return await gateway.status(OTHER) == 200

    await eventually(other_answers)


async def test_the_edge_keeps_its_lists_without_a_control_plane_and_the_next_one_goes_on(
    make_settings: MakeSettings, start_edge: StartEdge, service_db: Callable[[str], Awaitable[str]]
) -> None:
    settings, url = make_settings(), await service_db("gateway")
    async with start_edge(settings, without=["gateway"]) as edge:
        token = edge.token(None)
        async with control_plane(settings, url):
            await edge.call(OF_TENANT, token, method="PUT", json={"ranges": [LOOPBACK]})
        assert (await edge.call(RECORDS, edge.token(TENANT))).status_code == 200
        async with control_plane(settings, url):
            assert (await edge.call(RECORDS, edge.token(TENANT))).status_code == 200
            assert (await edge.call(OF_TENANT, token)).json()["ranges"] == [LOOPBACK]


async def test_without_an_edge_to_ask_a_change_is_stored_and_answered_202(
    gateway: Gateway,
) -> None:
    gateway.edge.settings.admin_socket.rename(gateway.edge.settings.edge_dir / "away")
    answer = await gateway.put(OF_TENANT, LOOPBACK)
    (gateway.edge.settings.edge_dir / "away").rename(gateway.edge.settings.admin_socket)
    assert (answer.status_code, answer.json()["live"]) == (202, False)

    async def tenant_answers() -> bool:
        return await gateway.status(TENANT) == 200

    await eventually(tenant_answers)
