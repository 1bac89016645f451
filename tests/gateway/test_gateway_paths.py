"""Only public paths lead anywhere, each to its own service."""

from typing import Any

import pytest

from gateway.public_paths import PUBLIC_PATHS
from tests.gateway.edge_parts import (
    TENANT,
    EdgeUnderTest,
    assert_problem,
)

WORDS = {
    "{tenant}": str(TENANT),
    "{word}": "organisation",
    "{upload}": "bulk",
    "{asset}": "start.0123456789abcdef.js",
    "/**": "/one",
}


def example(template: str) -> str:
    for part, word in WORDS.items():
        template = template.replace(part, word)
    return template


@pytest.mark.parametrize("path", PUBLIC_PATHS, ids=lambda path: path.name)
async def test_each_public_path_reaches_its_service_and_needs_a_token_unless_it_is_open(
    edge: EdgeUnderTest, path: Any
) -> None:
    token = edge.token(TENANT if path.realm == "tenant" else None)
    url = example(path.template)
    answer = await edge.call(url, token if path.token else None)
    assert answer.status_code == 200
    if path.name != "key-set":
        assert (answer.json()["service"], answer.json()["path"]) == (path.upstream, url)
    if path.token:
        assert_problem(await edge.call(url), 401, "/problems/not-authenticated")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/internal/tenants",
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs/",
        "/docs/page.html",
        "/docs/../gateway/app.py",
        "/docs/..%2e/settings.0123456789abcdef.js",
        "/metrics",
        "/v2/me",
        "/v1/me/",
        "/v1/memory",
        "/v1/tenantsx",
        f"/t/{TENANT}/internal/tenants",
        f"/t/{TENANT}/v1/recordsx",
        f"/t/{TENANT}/v1/nothing",
        f"/t/{str(TENANT).upper()}/v1/records",
        "/t/operators/v1/records",
        "/t/public/v1/login",
        f"/v1/tenants/{TENANT}/../../../internal/tenants",
        "/v1/tenants/..//internal/tenants",
    ],
)
async def test_what_is_not_public_is_a_404_with_and_without_a_token(
    edge: EdgeUnderTest, path: str
) -> None:
    assert_problem(await edge.call(path), 404, "/problems/not-found")
    assert_problem(await edge.call(path, edge.token(TENANT)), 404, "/problems/not-found")
    assert edge.upstreams.seen == []


@pytest.mark.parametrize("escape", ["%2f", "%2F", "%5c", "%5C"])
async def test_an_escaped_slash_in_a_path_is_refused(edge: EdgeUnderTest, escape: str) -> None:
    answer = await edge.call(f"/v1/tenants/..{escape}..{escape}internal", edge.token(None))
    assert_problem(answer, 400, "/problems/request-malformed")


@pytest.mark.parametrize("written", ["/v1//me", "/v1/./me", "/v1/memory/../me"])
async def test_a_path_has_one_form_behind_the_edge(edge: EdgeUnderTest, written: str) -> None:
    request = f"GET {written} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
    token = f"authorization: Bearer {edge.token(None)}\r\n\r\n"
    answer = await edge.raw((request + token).encode())
    assert answer.startswith("HTTP/1.1 200 ")
    assert '"path": "/v1/me"' in answer
