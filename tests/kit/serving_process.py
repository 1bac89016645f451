"""A small app served as the services are; a process of its own for tests of serving."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse

from kit import http
from kit.http.connections import Connections

router = APIRouter()


@dataclass
class Here:
    port: int
    metrics_port: int
    host: str = "127.0.0.1"
    drain_s: float = 0.5


BOUNDS = Connections(most=20, header_timeout_s=0.5, write_timeout_s=0.5)
under_way = 0
cut_off = 0


@router.get("/slow")
async def slow() -> dict[str, bool]:
    global under_way
    under_way += 1
    await asyncio.sleep(1.0)
    return {"done": True}


@router.get("/under-way")
async def how_many() -> dict[str, int]:
    return {"requests": under_way, "cut_off": cut_off}


@router.get("/endless")
async def endless() -> StreamingResponse:
    """Ends when nobody reads it any more."""

    async def pieces() -> AsyncIterator[bytes]:
        global cut_off
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        finally:
            cut_off += 1

    return StreamingResponse(pieces())


@router.get("/looked-through")
async def objects() -> dict[str, int]:
    """What a full collection looks at, and what it does not."""
    return {"objects": len(gc.get_objects()), "kept": gc.get_freeze_count()}


@router.post("/body")
async def body(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


if __name__ == "__main__":
    app = http.build_app(
        title="serving",
        routers=[router],
        checks={},
        lifespan=lifespan,
        body_timeout_s=0.5,
        body_limits={"^/body$": 1 << 20},
    )
    http.serve(app, Here(int(sys.argv[1]), int(sys.argv[2])), connections=BOUNDS)
