"""Every operation, without a token, with another tenant's and with the wrong realm's; at the edge
and behind it, because each service is a wall of its own."""

import httpx2
import pytest

from ops.story.opening import sign_up
from tests.journeys.operations import operations
from tests.rules.test_rules_operations import PUBLIC_OPERATIONS

LOGIN_ONLY = {"GET /v1/me", "POST /v1/logout"}


def is_public(operation) -> bool:
    name = f"{operation.method.upper()} {operation.path}"
    return name in PUBLIC_OPERATIONS.get(operation.service, set())


@pytest.fixture(scope="module")
async def pair(stage):
    return [await sign_up(stage, f"access-{n}", f"Access {n}") for n in ("one", "two")]


@pytest.fixture(scope="module")
async def guarded(suite):
    found = [one for one in await operations(suite) if not is_public(one)]
    assert len(found) > 40
    return found


@pytest.fixture
async def anonymous(stage):
    return await stage.session(None)


async def behind(suite, operation, tenant, token="") -> httpx2.Response:
    """Straight to the service, as somebody could who is already inside."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = suite.layout.places().url(operation.service) + operation.address(tenant.id)
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.request(operation.method.upper(), url, headers=headers)


async def token_of(api) -> str:
    answer = await api.raw("GET", "/v1/me")
    return str(answer.request.headers["authorization"]).removeprefix("Bearer ")


async def test_without_a_token_nothing_opens(suite, pair, guarded, anonymous):
    tenant = pair[0]
    for operation in guarded:
        method, address = operation.method.upper(), operation.address(tenant.id)
        at_edge = await anonymous.raw(method, address)
        expected = {404} if operation.is_internal else {401}
        assert at_edge.status_code in expected, f"{operation} at the edge"
        assert (await behind(suite, operation, tenant)).status_code == 401, str(operation)


async def test_another_tenants_token_finds_nothing(suite, pair, guarded):
    mine, theirs = pair
    token = await token_of(theirs.api)
    own = [one for one in guarded if one.path.startswith("/t/")]
    assert len(own) > 25
    for operation in own:
        method, address = operation.method.upper(), operation.address(mine.id)
        answer = await theirs.api.raw(method, address)
        assert answer.status_code == 404, f"{operation} at the edge"
        answer = await behind(suite, operation, mine, token)
        assert answer.status_code == 404, f"{operation} behind the edge"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_tenants_administrator_is_no_operator_and_the_reverse(suite, stage, pair, guarded):
    tenant = pair[0]
    admin, operator = await token_of(tenant.api), await token_of(stage.operator)
    for operation in guarded:
        name = f"{operation.method.upper()} {operation.path}"
        if operation.is_internal:
            for token in (admin, operator):
                assert (await behind(suite, operation, tenant, token)).status_code == 401, name
        elif operation.of_operators and name not in LOGIN_ONLY:
            assert (await behind(suite, operation, tenant, admin)).status_code == 403, name
        elif not operation.of_operators:
            assert (await behind(suite, operation, tenant, operator)).status_code == 404, name
