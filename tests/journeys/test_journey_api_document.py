"""The API document as a stranger gets it: through the edge, without a token, kept for a while."""

import json
import ssl
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]


async def test_anybody_may_read_the_document_and_keep_it(suite, stage):
    trust = ssl.create_default_context(cafile=str(suite.layout.certificates / "authority.pem"))
    async with httpx2.AsyncClient(
        base_url=suite.layout.url, verify=trust, trust_env=False
    ) as client:
        read = await client.get("/v1/openapi.json")
        assert read.status_code == 200
        assert read.json() == json.loads((ROOT / "docs/openapi.json").read_text())
        assert read.headers["cache-control"] == "public, max-age=300"
        again = await client.get(
            "/v1/openapi.json", headers={"if-none-match": read.headers["etag"]}
        )
    assert (again.status_code, again.content) == (304, b"")
