"""The API document as a page to read: a bundled viewer, nothing from another origin, no data.

A file is served under a name that holds the hash of its content, so whoever has it may keep it for
good; the page that names them all is asked for again. What a browser may load for the page is the
edge's word (gateway.public_paths). `viewer/swagger_ui` is not ours: ORIGIN.txt says whose.
"""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from kit.problems import NotFound

_FOLDER = Path(__file__).parent / "viewer"
_FILES = ("swagger_ui/swagger-ui.css", "swagger_ui/swagger-ui-bundle.js", "start.js")
_KINDS = {".css": "text/css", ".js": "text/javascript"}
_SHORT, _FOR_GOOD = "public, max-age=300", "public, max-age=31536000, immutable"
_NOT_AT_ALL = re.compile(r"\s*q=0(\.0*)?\s*")

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class ViewerFile:
    """What is served under `name`; `zipped` for whoever takes it."""

    name: str
    kind: str
    body: bytes
    zipped: bytes
    tag: str


@router.get("/docs")
async def read_docs() -> Response:
    """The page of this version, with an entity tag."""
    page = _page()
    headers = {"ETag": f'"{_hash(page)}"', "Cache-Control": _SHORT}
    return Response(page, media_type="text/html", headers=headers)


@router.get("/docs/{asset}")
async def read_asset(asset: str, request: Request) -> Response:
    """A file of the viewer; what is not in the table of names is nowhere."""
    found = _files().get(asset)
    if found is None:
        raise NotFound
    headers = {"Cache-Control": _FOR_GOOD, "Vary": "accept-encoding"}
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        headers |= {"ETag": f'"{found.tag}-gzip"', "Content-Encoding": "gzip"}
        return Response(found.zipped, media_type=found.kind, headers=headers)
    return Response(found.body, media_type=found.kind, headers=headers | {"ETag": f'"{found.tag}"'})


async def load() -> None:
    """Read and compress the files beside the event loop, before anybody asks for them."""
    await asyncio.to_thread(_page)


def _takes_gzip(accepted: str) -> bool:
    weights = {
        name.strip().lower(): weight
        for name, _, weight in (one.partition(";") for one in accepted.split(","))
    }
    return "gzip" in weights and not _NOT_AT_ALL.fullmatch(weights["gzip"])


@cache
def _page() -> bytes:
    """page.html with each file under the name that it is served by."""
    text = (_FOLDER / "page.html").read_text()
    for place, file in zip(_FILES, _files().values(), strict=True):
        text = text.replace(f'"{Path(place).name}"', f'"/docs/{file.name}"')
    return text.encode()


@cache
def _files() -> dict[str, ViewerFile]:
    """Name with hash -> file, in the order of `_FILES`."""
    return {file.name: file for file in map(_read, _FILES)}


def _read(place: str) -> ViewerFile:
    path, body = _FOLDER / place, (_FOLDER / place).read_bytes()
    tag = _hash(body)
    name = f"{path.stem}.{tag}{path.suffix}"
    return ViewerFile(name, _KINDS[path.suffix], body, gzip.compress(body, mtime=0), tag)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
