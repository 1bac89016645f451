"""The page that shows the API document: through Envoy, from this origin alone, kept for a while."""

import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import api_document, docs_page
from kit.http import build_app
from tests.gateway.edge_parts import (
    TENANT,
    EdgeUnderTest,
    MakeSettings,
    StartEdge,
    assert_problem,
    serving,
)

VIEWER = Path(docs_page.__file__).parent / "viewer"
PLAIN = {"accept-encoding": "identity"}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
NAMED = re.compile(r'(?:src|href)="([^"]+)"')


def unused(_app: Any) -> Any:
    raise AssertionError("served without a lifespan")


@pytest.fixture(scope="module")
async def docs_edge(
    make_settings: MakeSettings, start_edge: StartEdge
) -> AsyncIterator[EdgeUnderTest]:
    """The edge in front of the real routes of the gateway."""
    settings = make_settings()
    routers = [api_document.router, docs_page.router]
    app = build_app(title="gateway", routers=routers, checks={}, lifespan=unused)
    async with serving(app, settings.upstream("gateway")[1]):
        async with start_edge(settings, without=["gateway"]) as edge:
            yield edge


def policy_of(answer: Any) -> dict[str, str]:
    parts = [
        one.strip().partition(" ") for one in answer.headers["content-security-policy"].split(";")
    ]
    return {name: value for name, _, value in parts}


async def test_the_page_may_load_what_it_needs_and_nothing_else(docs_edge: EdgeUnderTest) -> None:
    page = await docs_edge.call("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert policy_of(page) == POLICY
    document = await docs_edge.call("/v1/openapi.json")
    files = [place for place in NAMED.findall(page.text) if place.startswith("/docs/")]
    for other in [document, *[await docs_edge.call(place) for place in files]]:
        assert other.status_code == 200
        assert policy_of(other) == {"default-src": "'none'", "frame-ancestors": "'none'"}
        assert other.headers["x-content-type-options"] == "nosniff"


async def test_the_page_names_only_files_of_this_origin_and_all_are_there(
    docs_edge: EdgeUnderTest,
) -> None:
    page = await docs_edge.call("/docs")
    places = NAMED.findall(page.text)
    assert len(places) == 5
    assert set(places) - {"data:,", "/v1/openapi.json"} == {
        f"/docs/{name}" for name in docs_page._files()
    }
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|//", page.text)
    start = next(place for place in places if "/start." in place)
    script = (await docs_edge.call(start)).text
    assert "http" not in script
    assert 'url: "/v1/openapi.json"' in script


async def test_a_file_is_kept_for_good_and_the_page_for_a_while(docs_edge: EdgeUnderTest) -> None:
    page = await docs_edge.call("/docs")
    assert page.headers["cache-control"] == "public, max-age=300"
    for name, file in docs_page._files().items():
        plain = await docs_edge.call(f"/docs/{name}", headers=PLAIN)
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(plain.content).hexdigest()[:16] == name.split(".")[1]
        assert "content-encoding" not in plain.headers
        packed = await docs_edge.call(f"/docs/{name}", headers={"accept-encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["etag"] != plain.headers["etag"]
        assert "accept-encoding" in packed.headers["vary"]
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) == len(file.zipped)


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "GZIP; q=0.000, br"])
async def test_who_takes_no_gzip_gets_none(docs_edge: EdgeUnderTest, accepted: str) -> None:
    (name, *_) = docs_page._files()
    answer = await docs_edge.call(f"/docs/{name}", headers={"accept-encoding": accepted})
    assert "content-encoding" not in answer.headers


async def test_who_has_it_is_told_so_and_who_asks_for_the_head_gets_no_body(
    docs_edge: EdgeUnderTest,
) -> None:
    for place in ("/docs", *(f"/docs/{name}" for name in docs_page._files())):
        read = await docs_edge.call(place)
        again = await docs_edge.call(place, headers={"if-none-match": read.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == read.headers["cache-control"]
        head = await docs_edge.call(place, method="HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == read.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/docs/start.js",
        "/docs/page.html",
        "/docs/swagger-ui.css",
        "/docs/start.0123456789abcdef.js",
        "/docs/ORIGIN.txt",
        "/docs/../settings.py",
        "/docs/%2e%2e/settings.py",
        "/docs/viewer/start.js",
        "/docs/",
    ],
)
async def test_no_other_file_is_served(docs_edge: EdgeUnderTest, path: str) -> None:
    answer = await docs_edge.raw(
        f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
    )
    assert answer.startswith("HTTP/1.1 404 ")
    assert "/problems/not-found" in answer


async def test_nobody_changes_anything_there(docs_edge: EdgeUnderTest) -> None:
    for place in ("/docs", f"/docs/{next(iter(docs_page._files()))}"):
        answer = await docs_edge.call(place, method="POST", content=b"x")
        assert_problem(answer, 405, "/problems/method-not-allowed")


async def test_what_a_service_says_a_browser_may_load_is_not_believed(edge: EdgeUnderTest) -> None:
    """Only the edge's own table opens a page; TENANT's records are none."""
    answer = await edge.call(f"/t/{TENANT}/v1/records/organisation?policy", edge.token(TENANT))
    assert policy_of(answer) == {"default-src": "'none'", "frame-ancestors": "'none'"}


def test_the_viewer_is_the_published_one() -> None:
    folder = VIEWER / "swagger_ui"
    lines = (folder / "ORIGIN.txt").read_text()
    told = {name: total for total, name in re.findall("^([0-9a-f]{64})  (.+)$", lines, re.M)}
    files = {path.name for path in folder.iterdir()} - {"ORIGIN.txt"}
    assert files <= told.keys()
    for name in files:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == told[name], name
    assert (
        gzip.decompress(docs_page._files()[_script()].zipped)
        == (folder / "swagger-ui-bundle.js").read_bytes()
    )


def _script() -> str:
    return next(name for name in docs_page._files() if name.startswith("swagger-ui-bundle."))
