"""What browsers and caches may do with answers: other origins, compression, the key set."""

import gzip

import httpx2
import pytest

from gateway.origins import checked
from gateway.public_paths import PUBLIC_PATHS
from tests.gateway.edge_parts import RECORDS, TENANT, EdgeUnderTest, MakeSettings, StartEdge

ORIGIN = "https://app.example.org"
LONG = {"x-pad": "y" * 2000}  # the upstreams send it back
JWKS = "/.well-known/jwks.json"


def asking(origin: str) -> dict[str, str]:
    return {"origin": origin, "access-control-request-method": "PUT"}


def shared_with(answer: httpx2.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


async def test_no_origin_reads_answers_unless_a_setting_names_it(edge: EdgeUnderTest) -> None:
    preflight = await edge.call(RECORDS, method="OPTIONS", headers=asking(ORIGIN))
    assert preflight.status_code == 401
    answer = await edge.call(RECORDS, edge.token(TENANT), headers={"origin": ORIGIN})
    assert (shared_with(preflight), shared_with(answer)) == ([], [])


async def test_a_named_origin_reads_answers_and_refusals_and_no_other_does(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    async with start_edge(make_settings(cors_origins=(ORIGIN,))) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        preflight = await edge.call(RECORDS, method="OPTIONS", headers=asking(ORIGIN))
        assert preflight.status_code == 200
        assert "PUT" in preflight.headers["access-control-allow-methods"]
        assert "if-match" in preflight.headers["access-control-allow-headers"]
        answers = [
            preflight,
            await edge.call(RECORDS, edge.token(TENANT), headers={"origin": ORIGIN}),
            await edge.call(RECORDS, headers={"origin": ORIGIN}),
            await edge.call(
                RECORDS, method="POST", headers={"origin": ORIGIN}, content=b"x" * 70_000
            ),
        ]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert "etag" in answer.headers["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in answer.headers
            assert "origin" in answer.headers["vary"]
        for other in (
            "https://evil.example.org",
            f"{ORIGIN}.evil.example",
            "null",
            f"{ORIGIN}:444",
        ):
            preflight = await edge.call(RECORDS, method="OPTIONS", headers=asking(other))
            answer = await edge.call(RECORDS, edge.token(TENANT), headers={"origin": other})
            assert preflight.status_code == 401
            assert "access-control-allow-origin" not in (preflight.headers.keys() | answer.headers)


FAULTY = """* null https://*.example.org http://app.example.org https://app.example.org/
    app.example.org https://App.example.org https://app.example.org:443 https://app.example.org:0 https://"""


@pytest.mark.parametrize("origin", ["", "https://a b", *FAULTY.split()])
def test_an_origin_is_exact_and_as_browsers_write_it(origin: str) -> None:
    assert checked((ORIGIN, f"{ORIGIN}:8443", "http://localhost:3000"))
    with pytest.raises(ValueError, match="origin 1"):
        checked((ORIGIN, origin))


async def test_the_key_set_keeps_what_auth_says_of_caches_and_nothing_else_does(
    edge: EdgeUnderTest,
) -> None:
    key_set = await edge.call(f"{JWKS}?cache")
    assert key_set.headers["cache-control"] == "public, max-age=30"
    for path in (f"{RECORDS}?cache", "/v1/egress-addresses?cache"):
        answer = await edge.call(path, edge.token(TENANT))
        assert answer.headers["cache-control"] == "no-store"


async def raw_answer(edge: EdgeUnderTest, path: str) -> tuple[httpx2.Headers, bytes]:
    headers = LONG | {"authorization": f"Bearer {edge.token(TENANT)}", "accept-encoding": "gzip"}
    async with edge.client() as client, client.stream("GET", path, headers=headers) as answer:
        return answer.headers, b"".join([piece async for piece in answer.aiter_raw()])


async def test_lists_are_compressed_for_who_asks(edge: EdgeUnderTest) -> None:
    headers, body = await raw_answer(edge, RECORDS)
    assert headers["content-encoding"] == "gzip"
    assert "accept-encoding" in headers["vary"].lower()
    assert b'"service": "tenants"' in gzip.decompress(body)
    plain = await edge.call(
        RECORDS, edge.token(TENANT), headers=LONG | {"accept-encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers


async def test_an_answer_with_an_etag_keeps_it_and_is_not_compressed(edge: EdgeUnderTest) -> None:
    headers, body = await raw_answer(edge, f"{RECORDS}?etag")
    assert headers["etag"] == '"7"'
    assert "content-encoding" not in headers
    assert b'"service": "tenants"' in body


async def test_what_holds_secrets_is_never_compressed(edge: EdgeUnderTest) -> None:
    for path in (f"/t/{TENANT}/v1/users", f"/t/{TENANT}/v1/sessions/refresh", "/v1/me"):
        headers, _ = await raw_answer(edge, path)
        assert "content-encoding" not in headers


def test_no_route_of_auth_is_compressed_and_only_what_is_for_everybody_is_cacheable() -> None:
    assert not [path.name for path in PUBLIC_PATHS if path.compressed and path.upstream == "auth"]
    assert [path.name for path in PUBLIC_PATHS if path.cacheable] == [
        "key-set",
        "api-document",
        "docs",
        "docs-files",
    ]
