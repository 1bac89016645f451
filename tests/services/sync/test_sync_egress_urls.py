"""URL rules: a hostile address is refused before anybody resolves or dials anything."""

import re

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.egress import AddressRefused, Egress, origin, target
from services.sync.egress.backend import GuardedBackend, GuardedStream
from services.sync.egress.tls import SystemTrust, strict_context
from tests.services.sync.hostile_urls import HOSTILE, PORT, UNKNOWN
from tests.services.sync.recording import (
    RecordingDialler,
    RecordingLedger,
    RecordingResolver,
    call,
)

GOOD = "crm.example.com"
REFUSED = [(reason, url) for reason, urls in HOSTILE.items() for url in urls]


def typed_name(url: str) -> str:
    """The host as somebody typed it who takes the address for a good one."""
    return re.split("[/?#:]", url.partition("//")[2].rpartition("@")[2])[0].lower()


@pytest.mark.parametrize(("reason", "url"), REFUSED)
async def test_a_hostile_address_makes_no_packet(reason: str, url: str) -> None:
    """Also where a connection had registered just that name: each rule stands alone."""
    resolver, dialler, ledger = RecordingResolver(), RecordingDialler(), RecordingLedger()
    guard = Egress(resolver=resolver, dialler=dialler)
    names = {GOOD} if reason == UNKNOWN else {GOOD, typed_name(url)}
    with pytest.raises(AddressRefused) as refused:
        await guard.send(call(url, *names), ledger)
    assert refused.value.reason == reason
    assert (resolver.asked, dialler.dialled, ledger.lines) == ([], [], [])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "crm.internal", "localhost", "CRM.example.com", "::1"]
)
@pytest.mark.parametrize("port", [443, 80])
async def test_the_network_itself_dials_nothing_but_public_names(host: str, port: int) -> None:
    """The second layer: whatever the pool asks for, however it came by it."""
    resolver, dialler = RecordingResolver(), RecordingDialler()
    network = GuardedBackend(resolver, SystemTrust(), dialler, judge=None)
    with pytest.raises(AddressRefused):
        await network.connect_tcp(host, port)
    with pytest.raises(AddressRefused, match="only port 443"):
        await network.connect_tcp(GOOD, 444)
    with pytest.raises(AddressRefused, match="a local socket"):
        await network.connect_unix_socket("/run/socket")
    assert (resolver.asked, dialler.dialled) == ([], [])


async def test_nothing_is_written_or_read_before_the_name_is_proved() -> None:
    plain = httpcore2.AsyncMockStream([b"x"])
    stream = GuardedStream(plain, GOOD, strict_context(), judge=None)
    with pytest.raises(AddressRefused, match="only https"):
        await stream.read(1)
    with pytest.raises(AddressRefused, match="only https"):
        await stream.write(b"x")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://crm.example.com/api", "the address must end after the host name"),
        ("https://crm.example.com?x", "the address must end after the host name"),
        ("https://crm.example.com:80", PORT),
    ],
)
def test_an_origin_ends_after_its_name(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        origin(url)
    assert refused.value.reason == reason
    assert origin("https://CRM.example.com/") == origin("https://crm.example.com:443") == GOOD


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://crm.example.com", "crm.example.com", "/"),
        ("HTTPS://CRM.Example.COM:443/A", "crm.example.com", "/A"),
        ("https://crm.example.com?x=1", "crm.example.com", "/?x=1"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
        (f"https://{'a' * 63}.example.com/", f"{'a' * 63}.example.com", "/"),
        (f"https://{'a.' * 119}example.com.org/", f"{'a.' * 119}example.com.org", "/"),
        (f"https://{GOOD}/{'a' * (8192 - 24)}", GOOD, "/" + "a" * (8192 - 24)),
        ("https://crm.example.com/a..b/.c/d./...", GOOD, "/a..b/.c/d./..."),
        ("https://crm.example.com/?x=../y", GOOD, "/?x=../y"),
        (
            "https://contoso.crm4.dynamics.com/api/data/v9.2/accounts(a='O''B%20c')",
            "contoso.crm4.dynamics.com",
            "/api/data/v9.2/accounts(a='O''B%20c')",
        ),
    ],
)
def test_an_ordinary_address_is_normalised(url: str, host: str, path: str) -> None:
    found = target(url)
    assert (found.host, found.path) == (host, path)


@given(st.text(max_size=60))
def test_whatever_text_comes_after_the_scheme_gives_a_clean_name_or_a_refusal(text: str) -> None:
    try:
        found = target(f"https://{text}")
    except AddressRefused:
        return
    assert found.host.isascii()
    assert found.host == found.host.lower()
    assert set(found.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert not found.host.rpartition(".")[2].isdigit()
    assert target(f"https://{found.host}{found.path}") == found
