"""Whose address counts: the caller's own, a named load balancer's word, or nobody's."""

import asyncio
import contextlib
import ipaddress
import json
import ssl
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.eventually import eventually
from tests.gateway.edge_parts import OTHER, RECORDS, TENANT, EdgeUnderTest, MakeSettings, StartEdge

BALANCER = "127.0.0.2"
CALLER, CALLER6 = "192.0.2.77", "2001:db8:1234:5678::9"
LISTED = {TENANT: ["192.0.2.0/24", "2001:db8:1234::/48"], OTHER: ["127.0.0.0/8"]}


def proxy_v2(caller: str, *, command: int = 1) -> bytes:
    """The PROXY protocol's header, version 2, for a connection of `caller`."""
    source = ipaddress.ip_address(caller)
    target = ipaddress.ip_address("127.0.0.1" if source.version == 4 else "::1")
    addresses = source.packed + target.packed + struct.pack("!HH", 40_000, 443)
    family = 0x11 if source.version == 4 else 0x21
    head = struct.pack("!BBH", 0x20 | command, family, len(addresses))
    return b"\r\n\r\n\0\r\nQUIT\n" + head + addresses


@pytest.fixture(scope="module")
async def proxied(
    make_settings: MakeSettings, start_edge: StartEdge, free_port: Any
) -> AsyncIterator[EdgeUnderTest]:
    """An edge behind a load balancer that speaks the PROXY protocol from BALANCER."""
    settings = make_settings(
        proxied_ranges=(f"{BALANCER}/32",),
        edge_proxied_port=free_port(),
        client_requests_per_s=10,
    )
    async with start_edge(settings) as edge:
        await edge.set_lists(LISTED, everyone=["0.0.0.0/0", "::/0"])
        yield edge


async def through(
    edge: EdgeUnderTest, header: bytes, *, peer: str = BALANCER, head: str = "", path: str = RECORDS
) -> str:
    """The answer to a request on the listener for load balancers; empty where there is none."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", edge.settings.edge_proxied_port, local_addr=(peer, 0)
    )
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}"
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        writer.write(header)
        await writer.start_tls(edge.trust, server_hostname="localhost")
        token = edge.token(TENANT)
        writer.write(f"{request}authorization: Bearer {token}\r\n\r\n".encode())
        return (await asyncio.wait_for(reader.read(), 10)).decode()
    return ""


def echoed(answer: str) -> dict[str, str]:
    body = answer[answer.index('{"service"') : answer.rindex("}") + 1]
    found: dict[str, str] = json.loads(body)["headers"]
    return found


@pytest.mark.parametrize("caller", [CALLER, CALLER6])
async def test_a_named_load_balancers_word_is_the_callers_address(
    proxied: EdgeUnderTest, caller: str
) -> None:
    answer = await through(proxied, proxy_v2(caller))
    assert answer.startswith("HTTP/1.1 200 ")
    headers = echoed(answer)
    assert (headers["x-gw-address"], headers["x-gw-client"]) == (caller, caller)


async def test_the_lists_and_limits_see_the_address_that_the_balancer_names(
    proxied: EdgeUnderTest,
) -> None:
    refused = await through(proxied, proxy_v2("198.51.100.1"))
    assert "/problems/edge-address-refused" in refused
    lie = await through(proxied, proxy_v2("198.51.100.1"), head=f"x-forwarded-for: {CALLER}\r\n")
    assert "/problems/edge-address-refused" in lie
    answers = [await through(proxied, proxy_v2("192.0.2.5")) for _ in range(30)]
    assert any(answer.startswith("HTTP/1.1 429 ") for answer in answers)
    assert (await through(proxied, proxy_v2("192.0.2.6"))).startswith("HTTP/1.1 200 ")


async def test_the_word_of_anybody_else_is_worth_a_closed_connection(
    proxied: EdgeUnderTest,
) -> None:
    for peer in ("127.0.0.1", "127.0.0.3"):
        assert await through(proxied, proxy_v2(CALLER), peer=peer) == ""
    first = f"PROXY TCP4 {CALLER} 127.0.0.1 40000 443\r\n".encode()
    for header in (b"", first, proxy_v2(CALLER)[:20], b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x00"):
        assert await through(proxied, header) == ""
    assert (await through(proxied, proxy_v2(CALLER, command=0))).startswith("HTTP/1.1 403 ")


async def test_beside_it_the_listener_for_callers_themselves_takes_no_such_header(
    proxied: EdgeUnderTest,
) -> None:
    path = f"/t/{OTHER}/v1/records/person"
    answer = await proxied.call(path, proxied.token(OTHER))
    assert answer.json()["headers"]["x-gw-address"] == "127.0.0.1"
    _, writer = await asyncio.open_connection("127.0.0.1", proxied.settings.edge_port)
    writer.write(proxy_v2(CALLER))
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await writer.start_tls(proxied.trust, server_hostname="localhost")
    writer.transport.abort()


async def test_the_log_names_the_network_of_a_caller_who_is_refused_and_never_the_address(
    proxied: EdgeUnderTest,
) -> None:
    await through(proxied, proxy_v2("203.0.113.99"))
    await through(proxied, proxy_v2("2001:db8:aaaa:bbbb::77"))
    await through(proxied, proxy_v2("::ffff:203.0.114.99"))
    await through(proxied, proxy_v2("2001:db8::1"), path="/v1/%00")
    log = proxied.settings.access_log
    networks = ("203.0.113.0/24", "203.0.114.0/24", "2001:db8:aaaa::/48")
    await eventually(lambda: all(one in log.read_text() for one in networks))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    refused = {line["network"] for line in lines if line["status"] == 403}
    assert set(networks) <= refused
    assert not [line for line in lines if not line["network"]]
    assert "203.0.113.99" not in log.read_text()
    assert "::77" not in log.read_text()


async def test_trusted_hops_name_the_caller_and_what_is_left_of_them_is_ignored(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    async with start_edge(make_settings(trusted_hops=1)) as edge:
        await edge.set_lists(LISTED, everyone=["0.0.0.0/0"])
        via = {"x-forwarded-for": f"198.51.100.1, {CALLER}"}
        answer = await edge.call(RECORDS, edge.token(TENANT), headers=via)
        assert answer.json()["headers"]["x-gw-address"] == CALLER
        assert (await edge.log_line(answer))["network"] == "192.0.2.0/24"
        lie = {"x-forwarded-for": f"{CALLER}, 198.51.100.1"}
        assert (await edge.call(RECORDS, edge.token(TENANT), headers=lie)).status_code == 403


async def test_hidden_callers_have_no_address_and_no_limit_that_one_could_use_up_for_all(
    make_settings: MakeSettings, start_edge: StartEdge
) -> None:
    settings = make_settings(callers_hidden=True, client_requests_per_s=1)
    async with start_edge(settings) as edge:
        await edge.set_lists({TENANT: ["127.0.0.0/8"]})
        lie = {"x-gw-address": CALLER}
        answers = [await edge.call(RECORDS, edge.token(TENANT), headers=lie) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {200}
        headers = answers[-1].json()["headers"]
        assert "x-gw-address" not in headers
        assert headers["x-gw-client"] == "127.0.0.1"
        assert (await edge.log_line(answers[-1]))["network"] == "hidden"
