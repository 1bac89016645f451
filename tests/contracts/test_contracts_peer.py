"""Why a peer cannot answer is told on: its problem, where it is one that is known, and its wait."""

from collections.abc import Callable

import httpx2
import pytest
from fastapi import FastAPI

from contracts.clients import TenantsClient
from contracts.problems import TenantBeingRestored, TenantNotUpgraded
from kit.http import errors
from kit.problems import DependencyDown, Problem, ServerBusy, TooManyRequests
from kit.sealing import SigningKey


async def told_on(problem: Callable[[], Problem]) -> DependencyDown:
    """What a caller gets where the peer answers with this problem."""
    app = FastAPI()
    errors.install(app)

    @app.get("/internal/tenants")
    async def refuse() -> None:
        raise problem()

    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    client = TenantsClient(
        "http://tenants", key=SigningKey.generate(), service="sync", transport=transport
    )
    with pytest.raises(DependencyDown) as raised:
        await client.tenants()
    await client.aclose()
    return raised.value


@pytest.mark.parametrize(
    ("problem", "slug", "wait"),
    [
        (TenantBeingRestored, "tenant-being-restored", "1"),
        (TenantNotUpgraded, "tenant-not-upgraded", "60"),
        (lambda: ServerBusy(retry_after_s=7), "dependency-down", "7"),
        (lambda: TooManyRequests(retry_after_s=3), "dependency-down", "3"),
        (DependencyDown, "dependency-down", None),
        (lambda: DependencyDown(headers={"Retry-After": "9" * 311}), "dependency-down", None),
        (lambda: DependencyDown(headers={"Retry-After": "soon"}), "dependency-down", None),
    ],
)
async def test_the_cause_of_a_peer_and_its_wait_are_told_on(
    problem: Callable[[], Problem], slug: str, wait: str | None
) -> None:
    found = await told_on(problem)
    assert (found.status, found.slug, found.headers.get("Retry-After")) == (503, slug, wait)


@pytest.mark.parametrize("body", ["<html>", "[]", '{"type": ["/problems/tenant-being-restored"]}'])
async def test_what_is_no_problem_of_a_peers_is_a_dependency_that_is_down(body: str) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(503, text=body))
    client = TenantsClient(
        "http://tenants", key=SigningKey.generate(), service="sync", transport=transport
    )
    with pytest.raises(DependencyDown) as raised:
        await client.tenants()
    assert (raised.value.slug, raised.value.headers) == ("dependency-down", {})
    await client.aclose()
