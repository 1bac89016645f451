"""Address lists: the global one for everybody, then the one of the tenant."""

import asyncio
import random
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from gateway.ranges import checked
from tests.eventually import eventually
from tests.gateway.edge_parts import (
    HERE,
    OTHER,
    RECORDS,
    TENANT,
    EdgeUnderTest,
    assert_problem,
)


async def test_a_tenant_is_reached_from_its_own_list_only(edge: EdgeUnderTest) -> None:
    await edge.set_lists({TENANT: ["127.0.0.2/32"], OTHER: [HERE]})
    for path, token in ((RECORDS, edge.token(TENANT)), (f"/t/{TENANT}/v1/login", None)):
        assert_problem(await edge.call(path, token), 403, "/problems/edge-address-refused")
        assert (await edge.call(path, token, source="127.0.0.2")).status_code == 200
    other = f"/t/{OTHER}/v1/records/person"
    assert (await edge.call(other, edge.token(OTHER))).status_code == 200
    assert (await edge.call("/v1/me", edge.token(TENANT))).status_code == 403
    assert (await edge.call("/v1/me", edge.token(TENANT), source="127.0.0.2")).status_code == 200


async def test_a_tenant_without_a_list_is_reached_by_nobody(edge: EdgeUnderTest) -> None:
    stranger = UUID("0190dddd-0000-7000-8000-00000000000d")
    paths = ((f"/t/{stranger}/v1/login", None), (f"/t/{stranger}/v1/users", edge.token(stranger)))
    for path, token in paths:
        assert_problem(await edge.call(path, token), 403, "/problems/edge-address-refused")


async def test_a_token_that_names_nobody_is_refused_where_the_list_depends_on_it(
    edge: EdgeUnderTest,
) -> None:
    tokens = [
        edge.token(None, rlm="something"),
        edge.token(None, rlm="tenant", tid="operators"),
        edge.token(None, rlm="tenant", tid="public"),
        edge.token(TENANT, rlm="operators"),
    ]
    for token in tokens:
        assert_problem(await edge.call("/v1/me", token), 403, "/problems/edge-address-refused")


async def test_nobody_passes_from_outside_the_global_list(edge: EdgeUnderTest) -> None:
    await edge.set_lists({TENANT: ["127.0.0.0/8"]}, everyone=["127.0.0.2/32"])
    paths = {RECORDS: TENANT, "/v1/tenants": None, "/.well-known/jwks.json": None, "/nowhere": None}
    for path, tenant in paths.items():
        answer = await edge.call(path, edge.token(tenant))
        assert_problem(answer, 403, "/problems/edge-address-refused")
    assert (await edge.call(RECORDS, edge.token(TENANT), source="127.0.0.2")).status_code == 200


async def test_a_forged_forwarded_address_opens_nothing(edge: EdgeUnderTest) -> None:
    await edge.set_lists({TENANT: ["192.0.2.0/24"]})
    lie = {"x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1", "x-real-ip": "192.0.2.1"}
    answer = await edge.call(RECORDS, edge.token(TENANT), headers=lie)
    assert_problem(answer, 403, "/problems/edge-address-refused")


async def test_five_thousand_lists_are_in_force_soon_and_drop_no_request(
    edge: EdgeUnderTest,
) -> None:
    lists = {UUID(int=n): [f"10.{n >> 8}.{n & 255}.0/24", "2001:db8::/32"] for n in range(5000)}
    done = asyncio.Event()

    async def keep_asking() -> int:
        count = 0
        async with edge.client() as client:
            while not done.is_set():
                answer = await client.get(
                    RECORDS, headers={"authorization": f"Bearer {edge.token(TENANT)}"}
                )
                assert answer.status_code == 200
                count += 1
        return count

    asking = asyncio.create_task(keep_asking())
    await edge.set_lists(lists | {TENANT: [HERE]})
    await edge.set_lists(lists | {TENANT: [HERE], OTHER: [HERE]})
    done.set()
    assert await asking > 0


async def test_a_broken_list_file_leaves_the_old_list_in_force(edge: EdgeUnderTest) -> None:
    path = edge.settings.edge_dir / "tenant-allow.pb"
    path.with_suffix(".new").write_bytes(b"\xff\xff\xff")
    path.with_suffix(".new").rename(path)
    await eventually(lambda: "config update rejected" in edge.log.read_text())
    assert (await edge.call(RECORDS, edge.token(TENANT))).status_code == 200


async def test_the_edge_takes_whatever_range_we_accept(edge: EdgeUnderTest) -> None:
    """One entry that Envoy refuses would hold up every later change."""
    chance = random.Random(20261121)
    texts = ["0.0.0.0/0", "::/0", "::/128", "::1", "192.0.2.255", "64:ff9b::/96", "fe80::/10"]
    for bits, prefix in ((32, IPv4Network), (128, IPv6Network)):
        for length in range(bits + 1):
            address = chance.getrandbits(bits) >> (bits - length) << (bits - length)
            texts.append(str(prefix((address, length))))
    await edge.set_lists({OTHER: checked(texts), TENANT: [HERE]})
    assert (await edge.call(RECORDS, edge.token(TENANT))).status_code == 200
