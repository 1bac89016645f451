"""Ranges of an address list: exact networks in one canonical form."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ranges import RangesRefused, checked, holds


def test_ranges_are_canonical_sorted_and_unique() -> None:
    texts = ["2001:DB8:0:0::/32", "192.0.2.7", "10.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0", "::/0"]
    expected = ("0.0.0.0/0", "10.0.0.0/8", "192.0.2.7/32", "::/0", "2001:db8::/32")
    assert checked(texts) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.1/8", "bits beyond"),
        ("2001:db8::1/32", "bits beyond"),
        ("10.0.0.0/33", "not an address range"),
        ("10.0.0.0/-1", "not an address range"),
        ("010.0.0.0/8", "not an address range"),
        ("fe80::1%eth0/128", "not an address range"),
        ("10.0.0/8", "not an address range"),
        ("", "not an address range"),
        (" 10.0.0.0/8", "not an address range"),
        ("10.0.0.0/8\n", "not an address range"),
        ("example.org", "not an address range"),
        ("10.0.0.0/255.0.0.0", "not an address range"),
        ("::ffff:10.0.0.0/104", "write IPv4 ranges as IPv4"),
    ],
)
def test_a_faulty_range_is_refused_with_its_place_and_reason(text: str, reason: str) -> None:
    with pytest.raises(RangesRefused) as refused:
        checked(["192.0.2.0/24", text])
    assert list(refused.value.reasons) == [1]
    assert reason in refused.value.reasons[1]
    assert not text.strip() or text not in str(refused.value)


ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@given(ADDRESSES, st.integers(0, 128))
def test_a_range_holds_exactly_its_own_addresses(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int
) -> None:
    length = min(bits, address.max_prefixlen)
    network = ipaddress.ip_network((address, length), strict=False)
    assert holds([str(network)], str(address))
    outside = ipaddress.ip_address("192.0.2.1" if address.version == 6 else "2001:db8::1")
    assert not holds([str(network)], str(outside))


@pytest.mark.parametrize("address", ["", "unknown", "10.0.0.1, 192.0.2.1", "10.0.0.1:80"])
def test_an_unreadable_address_is_in_no_range(address: str) -> None:
    assert not holds(["0.0.0.0/0", "::/0"], address)
