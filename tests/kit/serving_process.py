"""A small app served as the services are; a process of its own for tests of serving."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI, Request

from kit import http

router = APIRouter()


@router.get("/slow")
async def slow() -> dict[str, bool]:
    await asyncio.sleep(1.0)
    return {"done": True}


@router.post("/body")
async def body(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


if __name__ == "__main__":
    app = http.build_app(
        title="serving", routers=[router], checks={}, lifespan=lifespan, body_timeout_s=0.5
    )
    port, metrics = int(sys.argv[1]), int(sys.argv[2])
    http.serve(
        app, host="127.0.0.1", port=port, metrics_port=metrics, drain_s=0.5, header_timeout_s=0.5
    )
