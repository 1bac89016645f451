"""A list's address comes out of a certificate, so a stranger names it: both layers hold for it."""

from collections.abc import Iterable
from typing import Any

import httpcore2
import pytest

from services.sync.egress import AddressRefused, CallLimits, Egress, RevocationUnknown
from services.sync.egress.injected import InjectedResolver, InjectedTrust
from services.sync.egress.list_fetching import ListBackend
from services.sync.egress.tls import SystemTrust
from services.sync.egress.urls import list_target
from tests.services.sync.public_authority import LEAF_LIST, LISTS, PublicAuthority
from tests.services.sync.recording import RecordingDialler, RecordingResolver
from tests.services.sync.revocable import HOST, Revocable, revocable

ALONE = PublicAuthority(points=())  # its own certificate names no list
REFUSED = {
    "http://127.0.0.1/leaves.crl": "an IP address is not a name",
    "http://[::1]/leaves.crl": "an IP address is not a name",
    "http://2130706433/leaves.crl": "the host is not a public DNS name",
    "http://169.254.169.254/latest/meta-data": "an IP address is not a name",
    "http://localhost/leaves.crl": "the host is not a public DNS name",
    "http://vault.internal/leaves.crl": "the host is not a public DNS name",
    "http://tenants.default.svc/leaves.crl": "the host is not a public DNS name",
    "http://lists.example.net:8080/leaves.crl": "only port 80 is allowed",
    "http://lists.example.net:443/leaves.crl": "only port 80 is allowed",
    "https://lists.example.net:80/leaves.crl": "only port 443 is allowed",
    "http://me:secret@lists.example.net/leaves.crl": "the address holds a user name",
    "http://lists.example.net/../leaves.crl": "the path holds dot segments",
    "http://lists.example.net/leaves.crl#x": "the address holds a fragment",
    "http://lists.example.net/a b": "the address holds a space, a control character",
}


class LocalDialler(httpcore2.AnyIOBackend):
    """Connects, and writes down where to."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append((host, port))
        return await super().connect_tcp(host, port, timeout)


def guard(one: Revocable, resolver: RecordingResolver, dialler: LocalDialler) -> Egress:
    """The CRM's name leads here; every name of a list has the resolver's answers."""
    return Egress(
        resolver=InjectedResolver(one.name(), RecordingResolver()),
        trust=InjectedTrust(one.name(), SystemTrust()),
        dialler=dialler,
        limits=CallLimits(connect_s=2, read_s=5, total_s=20),
        list_resolver=resolver,
    )


@pytest.mark.parametrize("address", REFUSED)
async def test_a_hostile_address_of_a_list_makes_no_packet(address: str) -> None:
    resolver, dialler = RecordingResolver(), LocalDialler()
    async with revocable(address, authority=ALONE) as one:
        one.egress = guard(one, resolver, dialler)
        with pytest.raises(RevocationUnknown, match="address of the list is refused") as refused:
            await one.fetch()
        assert REFUSED[address] in refused.value.reason
        assert "secret" not in refused.value.reason
        assert dialler.dialled == [("127.0.0.1", one.crm.port)]
        assert one.crm.requests == []
    assert resolver.asked == []


@pytest.mark.parametrize(
    "answers",
    [
        ("127.0.0.1",),
        ("10.0.0.7",),
        ("169.254.169.254",),
        ("93.184.215.14", "192.168.1.1"),
        ("::1",),
        ("fd00:ec2::254",),
    ],
)
async def test_a_list_whose_name_leads_inside_is_not_dialled(answers: tuple[str, ...]) -> None:
    resolver, dialler = RecordingResolver(answers), LocalDialler()
    async with revocable() as one:
        one.egress = guard(one, resolver, dialler)
        with pytest.raises(RevocationUnknown, match="leads to an address that is"):
            await one.fetch()
        assert dialler.dialled == [("127.0.0.1", one.crm.port)]
        assert one.lists.requests == []
    refused = "the host name leads to an address that is "
    assert [end["error"].startswith(refused) for end in one.ledger.ends[:2]] == [True, True]


async def test_the_name_that_is_injected_for_a_crm_is_none_for_lists() -> None:
    """Else a certificate could make the guard ask this machine."""
    resolver, dialler = RecordingResolver(("127.0.0.1",)), LocalDialler()
    async with revocable(f"http://{HOST}/leaves.crl") as one:
        one.egress = guard(one, resolver, dialler)
        with pytest.raises(RevocationUnknown):
            await one.fetch()
        assert HOST in resolver.asked
        assert dialler.dialled == [("127.0.0.1", one.crm.port)]


@pytest.mark.parametrize("port", [22, 81, 8080, 444])
async def test_the_network_of_lists_dials_two_ports_of_public_names(port: int) -> None:
    resolver, dialler = RecordingResolver(), RecordingDialler()
    network = ListBackend(resolver, SystemTrust(), dialler, judge=None)
    with pytest.raises(AddressRefused):
        await network.connect_tcp(LISTS, port)
    for host in ("127.0.0.1", "lists.internal", "LISTS.example.net", "::1"):
        with pytest.raises(AddressRefused):
            await network.connect_tcp(host, 80)
    assert (resolver.asked, dialler.dialled) == ([], [])
    with pytest.raises(httpcore2.ConnectError):
        await network.connect_tcp(LISTS, 80)
    assert dialler.dialled == [("93.184.215.14", 80)]


async def test_a_list_over_https_needs_a_certificate_that_is_valid() -> None:
    """The authorities of this machine vouch for it, never the one that is injected."""
    async with revocable(LEAF_LIST.replace("http", "https")) as one, revocable() as other:
        one.lists.port = other.crm.port
        one.egress = one.guard()
        with pytest.raises(RevocationUnknown, match=r"lists\.example\.net: "):
            await one.fetch()
        assert other.crm.requests == []


@pytest.mark.parametrize("url", ["ftp://lists.example.net/", "file:///etc/passwd", "//x.example"])
def test_only_http_and_https_are_addresses_of_lists(url: str) -> None:
    with pytest.raises(AddressRefused):
        list_target(url)
    assert list_target("HTTP://Lists.Example.net:80/a%20b.crl").path == "/a%20b.crl"
