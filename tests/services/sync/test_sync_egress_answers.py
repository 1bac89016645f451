"""DNS answers: one that is not public refuses them all, and the number that was seen is dialled."""

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import TenantId, new_id
from services.sync.egress import AddressRefused, CallFailed, CallLimits, Egress, InjectedName
from services.sync.egress.addresses import forbidden
from services.sync.egress.injected import InjectedResolver
from services.sync.egress.resolving import Route, SystemResolver
from tests.services.sync.recording import (
    TENANT,
    RecordingDialler,
    RecordingLedger,
    RecordingResolver,
    call,
)

HOST = "crm.example.com"
PUBLIC = ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c:0:fbff:ffff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:2800::1%eth0",
    "",
    "crm.example.com",
    "127.1",
    "0x7f.0.0.1",
    "93.184.215.14 ",
]


@pytest.mark.parametrize("address", FORBIDDEN)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_bad_answer_among_good_ones_is_enough_to_dial_nothing(
    address: str, place: int
) -> None:
    answers = list(PUBLIC)
    answers.insert(place, address)
    resolver, dialler = RecordingResolver(tuple(answers)), RecordingDialler()
    guard = Egress(resolver=resolver, dialler=dialler)
    with pytest.raises(AddressRefused):
        await guard.send(call(f"https://{HOST}/", HOST), RecordingLedger())
    assert (resolver.asked, dialler.dialled) == ([HOST], [])


async def test_the_addresses_that_were_checked_are_dialled_and_the_name_is_asked_once() -> None:
    resolver, dialler, ledger = RecordingResolver(PUBLIC), RecordingDialler(), RecordingLedger()
    guard = Egress(resolver=resolver, dialler=dialler)
    with pytest.raises(CallFailed) as failed:
        await guard.send(call(f"https://{HOST}/", HOST), ledger)
    assert not failed.value.sent
    assert resolver.asked == [HOST]
    assert dialler.dialled == [(address, 443) for address in PUBLIC]
    assert ledger.ends[0]["error"] == "the host cannot be reached"


async def test_a_name_without_addresses_is_a_plain_failure() -> None:
    guard = Egress(resolver=RecordingResolver(()), dialler=RecordingDialler())
    with pytest.raises(CallFailed, match="does not resolve"):
        await guard.send(call(f"https://{HOST}/", HOST), RecordingLedger())


async def test_the_system_resolver_asks_for_the_absolute_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Search domains (Kubernetes tries them first) must not turn a name into another one."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(2, 1, 6, "", ("93.184.215.14", port)), (2, 1, 6, "", ("93.184.215.14", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    route = await SystemResolver().resolve(HOST)
    assert asked == ["crm.example.com."]
    assert (route.addresses, route.port, route.approved) == (("93.184.215.14",), 443, False)


class _NeverAnswering(RecordingResolver):
    """A name server that does not answer before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = asyncio.Event()

    async def resolve(self, host: str) -> Route:
        self.asked.append(host)
        await self.ends.wait()
        raise OSError


async def test_a_tenant_waits_for_few_names_at_once_and_given_up_ones_count_until_they_end() -> (
    None
):
    resolver, ledger = _NeverAnswering(), RecordingLedger()
    limits = CallLimits(total_s=0.1, lookups=2)
    guard = Egress(resolver=resolver, dialler=RecordingDialler(), limits=limits)
    for tenant, asked in ((TENANT, 2), (TENANT, 2), (TenantId(new_id()), 4)):
        calls = [call(f"https://{HOST}/", HOST, tenant=tenant) for _ in range(4)]
        ends = await asyncio.gather(
            *(guard.send(one, ledger) for one in calls), return_exceptions=True
        )
        assert [type(end) for end in ends] == [CallFailed] * 4
        assert len(resolver.asked) == asked
    resolver.ends.set()
    with pytest.raises(CallFailed, match="does not resolve"):
        await guard.send(call(f"https://{HOST}/", HOST), ledger)
    await guard.close()


async def test_an_injected_name_exempts_no_other_name() -> None:
    injected = InjectedName("sandbox.example.com", "127.0.0.1", 4443, "")
    others, dialler = RecordingResolver(("127.0.0.1",)), RecordingDialler()
    guard = Egress(resolver=InjectedResolver(injected, others), dialler=dialler)
    with pytest.raises(AddressRefused):
        await guard.send(call(f"https://{HOST}/", HOST), RecordingLedger())
    assert dialler.dialled == []
    with pytest.raises(CallFailed):
        await guard.send(
            call("https://sandbox.example.com/", "sandbox.example.com"), RecordingLedger()
        )
    assert dialler.dialled == [("127.0.0.1", 4443)]


@given(st.integers(0, 2**32 - 1))
def test_no_address_that_python_calls_special_is_public(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert forbidden(str(address))


@given(st.integers(0, 2**128 - 1))
def test_no_version_6_address_that_carries_another_one_is_public(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    carries = address.ipv4_mapped or address.sixtofour or address.teredo
    if carries or not address.is_global or address.is_multicast:
        assert forbidden(str(address))
