"""What every answer and every log line looks like."""

import asyncio
import json
import ssl

import httpx2
import pytest

from tests.eventually import eventually
from tests.gateway.edge_parts import (
    RECORDS,
    TENANT,
    USER,
    EdgeUnderTest,
)


async def test_every_answer_carries_the_security_headers_and_no_banner(
    edge: EdgeUnderTest,
) -> None:
    answers = [
        await edge.call(RECORDS, edge.token(TENANT)),
        await edge.call(RECORDS),
        await edge.call("/nowhere"),
        await edge.call("/v1/tenants/%2f", edge.token(None)),
    ]
    for answer in answers:
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["server"] == "bulkhead"
        assert not [name for name in answer.headers if name.startswith("x-envoy")]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
async def test_tls_is_1_2_or_newer_and_offers_http_2(edge: EdgeUnderTest) -> None:
    def context() -> ssl.SSLContext:
        made = ssl.create_default_context()
        made.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(authority))
        return made

    authority = edge.trust.get_ca_certs(binary_form=True)[0]
    for name in ("localhost", "bulkhead.localhost"):
        modern = context()
        modern.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection(
            "127.0.0.1", edge.settings.edge_port, ssl=modern, server_hostname=name
        )
        tls = writer.get_extra_info("ssl_object")
        assert (tls.version(), tls.selected_alpn_protocol()) == ("TLSv1.3", "h2")
        writer.close()
    old = context()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(
            "127.0.0.1", edge.settings.edge_port, ssl=old, server_hostname="localhost"
        )


async def test_the_access_log_names_the_route_and_never_path_query_token_or_address(
    edge: EdgeUnderTest,
) -> None:
    token = edge.token(TENANT)
    answer = await edge.call(f"{RECORDS}?filter=email:eq:lovelace@example.org", token)
    await edge.call("/lovelace@example.org/reset")
    request_id, log = answer.headers["x-request-id"], edge.settings.access_log
    await eventually(lambda: request_id in log.read_text())
    text = log.read_text()
    line = next(json.loads(one) for one in text.splitlines() if request_id in one)
    assert (line["route"], line["status"], line["tenant"]) == ("records", 200, str(TENANT))
    for secret in ("lovelace", "filter", token, token.split(".")[2], "127.0.0.1", str(USER)):
        assert secret not in text, [one for one in text.splitlines() if secret in one][:3]


async def test_metrics_and_readiness_are_on_their_own_port_and_admin_is_on_none(
    edge: EdgeUnderTest,
) -> None:
    base = f"http://127.0.0.1:{edge.settings.edge_metrics_port}"
    async with httpx2.AsyncClient(base_url=base) as client:
        assert "envoy_http_downstream_rq_total" in (await client.get("/metrics")).text
        assert (await client.get("/ready")).status_code == 200
        for path in ("/", "/config_dump", "/quitquitquit", "/stats", "/certs"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/ready")).status_code == 404
    socket = edge.settings.admin_socket
    assert socket.stat().st_mode & 0o777 == 0o600
