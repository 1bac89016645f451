"""URL rules: a hostile address is refused before anybody resolves or dials anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.egress import AddressRefused, Egress, target
from tests.services.sync.recording import (
    RecordingDialler,
    RecordingLedger,
    RecordingResolver,
    call,
)

GOOD = "crm.example.com"
HOSTILE = [
    # other schemes
    "http://crm.example.com/",
    "HTTP://crm.example.com/",
    "ftp://crm.example.com/",
    "file:///etc/passwd",
    "gopher://crm.example.com/",
    "ws://crm.example.com/",
    "wss://crm.example.com/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "ldap://crm.example.com/",
    "httpsx://crm.example.com/",
    # not absolute
    "",
    "crm.example.com",
    "//crm.example.com/",
    "/api/data",
    "https:crm.example.com",
    "https:/crm.example.com",
    "https:///crm.example.com",
    "https://",
    "https://?x",
    # literal addresses, version 4
    "https://127.0.0.1/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://8.8.8.8/",
    "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://1.2.3.4.5/",
    "https://crm.example.1/",
    "https://crm.example.0x1/",
    # literal addresses, version 6
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[2606:4700::1111]/",
    "https://[v1.x]/",
    "https://::1/",
    # user information
    "https://user@crm.example.com/",
    "https://user:pass@crm.example.com/",
    "https://crm.example.com@127.0.0.1/",
    "https://crm.example.com:443@evil.example.com/",
    "https://@crm.example.com/",
    "https://crm.example.com%40evil.example.com/",
    # ports
    "https://crm.example.com:80/",
    "https://crm.example.com:8443/",
    "https://crm.example.com:22/",
    "https://crm.example.com:0443/",
    "https://crm.example.com:443443/",
    "https://crm.example.com:/",
    "https://crm.example.com:443:443/",
    "https://crm.example.com:4４3/",
    "https://crm.example.com:+443/",
    # names that are not public
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://foo.localhost/",
    "https://localhost.localdomain/",
    "https://crm/",
    "https://crm.local/",
    "https://crm.internal/",
    "https://metadata.google.internal/",
    "https://kubernetes.default.svc/",
    "https://kubernetes.default.svc.cluster.local/",
    "https://router.lan/",
    "https://nas.home.arpa/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://intranet.corp/",
    "https://something.onion/",
    "https://nothing.invalid/",
    # syntax of names
    "https://crm.example.com./",
    "https://.crm.example.com/",
    "https://crm..example.com/",
    "https://-crm.example.com/",
    "https://crm-.example.com/",
    "https://crm_x.example.com/",
    "https://crm.example.com%00.evil.example.com/",
    "https://crm%2eexample%2ecom/",
    "https://crm.exam ple.com/",
    "https://crm.example.com,evil.example.com/",
    "https://*.example.com/",
    f"https://{'a' * 64}.example.com/",
    f"https://{'a.' * 130}example.com/",
    # characters that some parsers fold
    "https://crm。example.com/",
    "https://crm．example．com/",
    "https://crm｡example.com/",
    "https://１２７.０.０.１/",
    "https://①②⑦.⓪.⓪.①/",
    "https://ｌｏｃａｌｈｏｓｔ/",
    "https://ⓛocalhost.example.com/",
    "https://crm\u00ad.example.com/",
    "https://crm\u200b.example.com/",
    "https://crm\u202e.example.com/",
    "https://xn--a.example.com/",
    "https://xn--.example.com/",
    "https://ℂrm.example.com/",
    # separators and white space
    "https://crm.example.com\\@evil.example.com/",
    "https:\\\\crm.example.com/",
    "https://crm.example.com\\evil",
    " https://crm.example.com/",
    "https://crm.example.com/ ",
    "https://crm.example.com/\r\nHost: evil",
    "https://crm.example.com\t/",
    "https://crm.example.com\n/",
    "https://crm.example.com/\x00",
    "ht\ttps://crm.example.com/",
    # paths
    "https://crm.example.com/#fragment",
    "https://crm.example.com#@evil.example.com/",
    "https://crm.example.com/../admin",
    "https://crm.example.com/a/./b",
    "https://crm.example.com/%2e%2e/admin",
    "https://crm.example.com/%zz",
    "https://crm.example.com/ü",
    'https://crm.example.com/"x"',
    "https://crm.example.com/" + "a" * 9000,
    # names that nobody registered
    "https://evil.example.com/",
    "https://crm.example.com.evil.example.com/",
    "https://sub.crm.example.com/",
    "https://example.com/",
]


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_address_makes_no_packet(url: str) -> None:
    resolver, dialler, ledger = RecordingResolver(), RecordingDialler(), RecordingLedger()
    guard = Egress(resolver=resolver, dialler=dialler)
    with pytest.raises(AddressRefused) as refused:
        await guard.send(call(url, GOOD), ledger)
    assert refused.value.reason
    assert (resolver.asked, dialler.dialled, ledger.lines) == ([], [], [])
    await guard.close()


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://crm.example.com", "crm.example.com", "/"),
        ("HTTPS://CRM.Example.COM:443/A", "crm.example.com", "/A"),
        ("https://crm.example.com?x=1", "crm.example.com", "/?x=1"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
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
