"""The API document as a stranger gets it, also as a page: through the edge, without a token."""

import json
import re
import ssl
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]


def stranger(suite) -> httpx2.AsyncClient:
    trust = ssl.create_default_context(cafile=str(suite.layout.certificates / "authority.pem"))
    return httpx2.AsyncClient(base_url=suite.layout.url, verify=trust, trust_env=False)


async def test_anybody_may_read_the_document_and_keep_it(suite, stage):
    async with stranger(suite) as client:
        read = await client.get("/v1/openapi.json")
        assert read.status_code == 200
        assert read.json() == json.loads((ROOT / "docs/openapi.json").read_text())
        assert read.headers["cache-control"] == "public, max-age=300"
        again = await client.get(
            "/v1/openapi.json", headers={"if-none-match": read.headers["etag"]}
        )
    assert (again.status_code, again.content) == (304, b"")


async def test_anybody_may_look_at_it_as_a_page_and_all_of_the_page_is_there(suite, stage):
    async with stranger(suite) as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        files = re.findall(r'"(/docs/[^"]+)"', page.text)
        assert len(files) == 3
        for file in files:
            assert (await client.get(file)).status_code == 200, file
