"""The public API as an OpenAPI document, for whoever makes a client: public, without data.

`openapi.json` is generated from the routes of all services (`make docs`); a test fails when it is
stale.
"""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response

_DOCUMENT = Path(__file__).parent / "openapi.json"
_CACHE = "public, max-age=300"

router = APIRouter(include_in_schema=False)


@router.get("/v1/openapi.json")
async def read_document() -> Response:
    """The document of this version, with an entity tag."""
    body = _read()
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": _CACHE}
    return Response(body, media_type="application/json", headers=headers)


@cache
def _read() -> bytes:
    return _DOCUMENT.read_bytes()
