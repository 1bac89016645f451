"""Requests as spans: named by a route, one story over services, nothing that a client says."""

import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from contracts.clients.peer import Peer
from kit import chassis, telemetry
from kit.chassis import Made
from kit.messaging.memory import MemoryBroker
from kit.sealing import SigningKey
from tests.otlp_collector import Collector
from tests.recorded import recorded

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TENANT = "0198c0de-0000-7000-8000-000000000001"
CANARY = "canary-hunter2"
router = APIRouter()


class Body(BaseModel):
    number: int


@router.post("/t/{tenant}/things/{name}")
async def change(tenant: str, name: str, body: Body) -> dict[str, str]:
    return {"trace": telemetry.trace_parent()}


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError(CANARY)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[httpx2.AsyncClient]:
    app = chassis.build(Made(name="test", broker=MemoryBroker(), routers=[router]))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app):
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


def told(collector: Collector) -> bytes:
    return b"".join(collector.raw)


async def test_a_request_is_named_by_its_route_and_told_by_ids_and_counts() -> None:
    with recorded() as collector:
        async with serving() as client:
            answer = await client.post(f"/t/{TENANT}/things/{CANARY}", json={"number": 1})
            assert answer.status_code == 200
    span = collector.one("POST /t/{tenant}/things/{name}")
    assert span.kind == "server"
    assert answer.json()["trace"][:-2] == span.place
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/t/{tenant}/things/{name}",
        "http.response.status_code": 200,
        "bulkhead.request_id": answer.headers["x-request-id"],
        "bulkhead.tenant": TENANT,
    }
    assert CANARY.encode() not in told(collector)


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", f"/{CANARY}?q={CANARY}", 404, "GET unmatched"),
        ("POST", f"/t/{CANARY}/things/{CANARY}?q={CANARY}", 422, "POST /t/{tenant}/things/{name}"),
        (CANARY, "/broken", 405, "_OTHER /broken"),
        ("GET", f"/broken?q={CANARY}", 422, "GET /broken"),
        ("GET", "/broken", 500, "GET /broken"),
    ],
)
async def test_what_a_client_sends_is_in_no_span_however_it_is_refused(
    method: str, path: str, status: int, name: str
) -> None:
    names = ("x-request-id", "x-client-request-id", "user-agent", "cookie", "authorization")
    headers = dict.fromkeys(names, CANARY)
    with recorded() as collector:
        async with serving() as client:
            answer = await client.request(method, path, headers=headers, json={"number": CANARY})
            assert answer.status_code == status
    (span,) = collector.spans
    assert span.name == name
    assert span.failed == (status >= 500)
    assert CANARY.encode() not in told(collector)


async def test_a_service_that_calls_goes_on_with_its_trace_and_a_client_of_the_edge_is_a_link() -> (
    None
):
    path = f"/t/{TENANT}/things/x"
    with recorded() as collector:
        async with serving() as client:
            await client.post(path, json={"number": 1}, headers={"traceparent": GIVEN})
            await client.post(path, json={"number": 1}, headers={"x-gw-client-trace": GIVEN})
            await client.post(path, json={"number": 1}, headers={"x-gw-client-trace": CANARY})
    called, outside, nonsense = collector.spans
    assert (called.trace, called.parent, called.links) == (GIVEN[3:35], GIVEN[36:52], ())
    assert outside.trace != GIVEN[3:35]
    assert outside.parent == ""
    assert [(one.trace, one.span) for one in outside.links] == [(GIVEN[3:35], GIVEN[36:52])]
    assert (nonsense.parent, nonsense.links) == ("", ())


async def test_who_watches_health_leaves_no_spans() -> None:
    with recorded() as collector:
        async with serving() as client:
            for path in ("/livez", "/readyz"):
                await client.get(path, headers={"traceparent": GIVEN})
    assert collector.spans == []


async def test_a_call_to_a_peer_is_a_span_and_the_peer_goes_on_from_it() -> None:
    heads: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        heads.append(request.headers["traceparent"])
        return httpx2.Response(204)

    peer = Peer(
        "http://tenants",
        key=SigningKey.generate(),
        service="sync",
        audience="tenants",
        transport=httpx2.MockTransport(answer),
    )
    with recorded() as collector:
        with telemetry.trace("work"):
            await peer.call("GET", f"/internal/{UUID(TENANT)}", query={"name": CANARY})
    await peer.aclose()
    span = collector.one("call tenants")
    assert [head[:-2] for head in heads] == [span.place]
    assert (span.kind, span.parent) == ("client", collector.one("work").id)
    assert span.attributes["http.response.status_code"] == 204
    assert CANARY.encode() not in told(collector)
