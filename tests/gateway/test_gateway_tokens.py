"""Who the edge takes a caller for, and whom it turns away."""

import asyncio
import time

from kit.sealing import SigningKey
from tests.gateway.edge_parts import (
    OTHER,
    RECORDS,
    TENANT,
    USER,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
    assert_problem,
)


async def test_a_token_of_another_tenant_finds_nothing_even_where_the_address_is_welcome(
    edge: EdgeUnderTest,
) -> None:
    assert_problem(await edge.call(RECORDS, edge.token(OTHER)), 404, "/problems/not-found")
    assert_problem(await edge.call(RECORDS, edge.token(None)), 404, "/problems/not-found")
    assert edge.upstreams.seen == []


def _tokens_that_must_fail(edge: EdgeUnderTest) -> dict[str, str]:
    good, past = edge.token(TENANT), int(time.time()) - 3600
    header, body, signature = good.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    return {
        "garbage": "garbage",
        "forged": edge.token(TENANT, SigningKey.generate()),
        "expired": edge.token(TENANT, iat=past, exp=past + 300),
        "expired by more than clocks differ": edge.token(TENANT, iat=past, exp=past + 3590),
        "other issuer": edge.token(TENANT, iss="https://elsewhere"),
        "unsigned": f"{none}.{body}.",
        "other signature": f"{header}.{body}.{signature[::-1]}",
        "without expiry": edge.token(TENANT, exp=None),
    }


async def test_a_faulty_token_is_a_401_problem(edge: EdgeUnderTest) -> None:
    for why, token in _tokens_that_must_fail(edge).items():
        answer = await edge.call(RECORDS, token)
        assert answer.status_code == 401, why
        assert_problem(answer, 401, "/problems/not-authenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    answer = await edge.call(f"{RECORDS}?access_token={edge.token(TENANT)}")
    assert_problem(answer, 401, "/problems/not-authenticated")
    assert edge.upstreams.seen == []


async def test_a_token_that_is_an_operators_and_a_tenants_at_once_has_nobodys_list(
    edge: EdgeUnderTest,
) -> None:
    assert (await edge.call("/v1/me", edge.token(None))).status_code == 200
    edge.upstreams.seen.clear()
    for token in (edge.token(None, rlm="tenant"), edge.token(TENANT, rlm="operators")):
        answer = await edge.call("/v1/me", token)
        assert_problem(answer, 403, "/problems/edge-address-refused")
    assert edge.upstreams.seen == []


async def test_a_token_for_another_audience_is_refused(edge: EdgeUnderTest) -> None:
    answer = await edge.call(RECORDS, edge.token(TENANT, aud="tenants"))
    assert answer.status_code in {401, 403}
    assert edge.upstreams.seen == []


async def test_identity_headers_of_a_client_are_replaced_by_the_edges_own(
    edge: EdgeUnderTest,
) -> None:
    lies = {
        "x-gw-tenant": str(OTHER),
        "X-GW-Subject": "root",
        "x-gw-client": "192.0.2.1",
        "x-gw-realm": "operators",
        "x-gw-token-tenant": str(OTHER),
        "x-gw-anything": "x",
        "x-gw-share": str(OTHER),
        "x-gw-address": "192.0.2.1",
        "x-gw-whole": "1",
        "x_gw_tenant": str(OTHER),
    }
    seen = (await edge.call(RECORDS, edge.token(TENANT), headers=lies)).json()["headers"]
    ours = {name: value for name, value in seen.items() if "gw" in name}
    assert ours == {
        "x-gw-tenant": str(TENANT),
        "x-gw-share": str(TENANT),
        "x-gw-subject": str(USER),
        "x-gw-client": "127.0.0.1",
        "x-gw-address": "127.0.0.1",
        "x-gw-realm": "tenant",
    }
    assert seen["authorization"].startswith("Bearer ")
    login = await edge.call(f"/t/{TENANT}/v1/login", method="POST", headers=lies)
    ours = {name: value for name, value in login.json()["headers"].items() if "gw" in name}
    assert ours == {
        "x-gw-tenant": str(TENANT),
        "x-gw-share": str(TENANT),
        "x-gw-client": "127.0.0.1",
        "x-gw-address": "127.0.0.1",
    }


async def test_a_key_that_auth_no_longer_publishes_signs_nothing_any_more(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    """No verdict is cached: after the next key set a removed key is refused."""
    settings = make_settings(keys_refreshed_every_s=1)
    async with start_edge(settings) as edge:
        old = edge.token(None)
        new_key = SigningKey.generate()
        edge.upstreams.keys[:] = [new_key]
        deadline = time.monotonic() + 15
        while (await edge.call("/v1/me", old)).status_code != 401:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        assert (await edge.call("/v1/me", edge.token(None, new_key))).status_code == 200
