"""Liveness, readiness with one verdict per dependency, and the page of each problem."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from kit import logs, problems
from kit.causes import cause_of
from kit.http.draining import Draining
from kit.http.parts import parts_of

Check = Callable[[], Awaitable[None]]
_log = logs.get(__name__)
_CHECK_TIMEOUT_S = 2.0


def health_router(needed: Mapping[str, Check], wanted: Mapping[str, Check]) -> APIRouter:
    """GET /livez, /readyz and /problems/{slug}; public, without data.

    Not ready while one of the `needed` is down; the `wanted` are shown, but their absence takes
    nothing out of service. A verdict is "ok" or a sentence that says what is wrong (kit.causes).
    """
    checks = {**needed, **wanted}
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        verdicts = dict(
            zip(checks, await asyncio.gather(*(_verdict(c) for c in checks.items())), strict=True)
        )
        draining = parts_of(request.app, Draining).is_set()
        ready = all(verdicts[name] == "ok" for name in needed) and not draining
        body: dict[str, Any] = {"ready": ready, "draining": draining, "checks": verdicts}
        return JSONResponse(body, status_code=200 if ready else 503)

    @router.get("/problems/{slug}")
    async def problem(slug: str) -> PlainTextResponse:
        kind = problems.registry().get(slug)
        if kind is None:
            raise problems.NotFound
        return PlainTextResponse(f"{kind.status} {kind.explanation()}\n")

    return router


async def _verdict(check: tuple[str, Check]) -> str:
    name, probe = check
    try:
        await asyncio.wait_for(probe(), _CHECK_TIMEOUT_S)
    except Exception as error:
        why = cause_of(error)
        _log.warning("not ready", dependency=name, error=type(error).__name__, reason=why)
        return why
    return "ok"
