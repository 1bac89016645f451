"""The app factory: body rules, time-outs, problems, health, metrics and headers for every route."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import Lifespan

from kit.http.bodies import BodyRules
from kit.http.conditions import NotModified
from kit.http.declared import check_declared
from kit.http.draining import Draining
from kit.http.envelope import Envelope
from kit.http.errors import install as install_errors
from kit.http.gate import Gate
from kit.http.health import Check, health_router
from kit.http.methods import Methods
from kit.http.parts import put
from kit.http.running import RunningRequests

# FastAPI's own would tell query strings, addresses, inputs that were refused and errors' texts
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def build_app(
    *,
    title: str,
    routers: Sequence[APIRouter],
    checks: Mapping[str, Check],
    wanted: Mapping[str, Check] | None = None,
    lifespan: Lifespan[FastAPI],
    body_limits: Mapping[str, int] | None = None,
    body_timeout_s: float = 30.0,
    why_closed: Callable[[], str | None] = lambda: None,
    requests_most: int = 500,
    request_wait_s: float = 2.0,
) -> FastAPI:
    """An app with the house rules.

    `checks` are awaited at /readyz, one per dependency; one that raises makes it answer 503.
    `wanted` are those that the service can do without for a while (the broker: events wait in the
    outbox): they are shown there, but do not take it out of service.
    `why_closed` gives a sentence while nothing but health may be answered.
    At most `requests_most` run at once; another one waits up to `request_wait_s` for its place.
    `body_limits` maps a regular expression over the path to bytes (64 KiB where none matches);
    a route whose limit is above 1 MiB reads its body itself, see kit.http.bodies.
    """
    app = FastAPI(
        title=title,
        telemetry=_NO_TELEMETRY,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        strict_content_type=True,
        generate_unique_id_function=lambda route: route.name,
        responses=_problem_responses(),
        dependencies=[Depends(check_declared)],
    )
    put(app, Draining())
    for router in [*routers, health_router(checks, wanted or {})]:
        app.include_router(router)
    install_errors(app)
    app.add_middleware(Methods, of=app)
    app.add_middleware(NotModified)
    app.add_middleware(RunningRequests, most=requests_most, wait_s=request_wait_s)
    app.add_middleware(BodyRules, limits=body_limits or {}, timeout_s=body_timeout_s)
    app.add_middleware(Gate, why_closed=why_closed)
    app.add_middleware(Envelope, service=title)
    return app


def _problem_responses() -> dict[int | str, dict[str, Any]]:
    schema = {
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "pointer": {"type": "string"},
        },
    }
    content = {"application/problem+json": {"schema": schema}}
    return {"4XX": {"description": "A problem (RFC 9457)", "content": content}}
