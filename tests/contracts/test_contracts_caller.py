"""The caller's address: what the edge says, read strictly, and cut before it is written down."""

from ipaddress import ip_address

import pytest
from starlette.datastructures import Headers

from contracts.caller import address_in, network_of, truncated


def headers(*values: str) -> Headers:
    return Headers(raw=[(b"x-gw-address", value.encode("latin-1")) for value in values])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0:0:0:0:0:7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_address_is_read_in_whatever_form_it_is_written(text: str, address: str) -> None:
    assert address_in(headers(text)) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "unknown",
        "192.0.2.7:443",
        "192.0.2.7, 192.0.2.8",
        " 192.0.2.7",
        "192.0.2.07",
        "192.0.2",
        "3221225991",
        "0x7f.1",
        "[2001:db8::7]",
        "fe80::1%eth0",
        "2001:db8::/64",
        "\xb2.0.0.1",
        "1" * 10_000,
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert address_in(headers(text)) is None


def test_without_the_header_or_with_two_there_is_no_address() -> None:
    assert address_in(headers()) is None
    assert address_in(headers("192.0.2.7", "192.0.2.7")) is None
    assert address_in(Headers({"x-forwarded-for": "192.0.2.7"})) is None


@pytest.mark.parametrize(
    ("address", "network", "cut"),
    [
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
    ],
)
def test_one_subscriber_is_one_network_and_a_log_names_a_wider_one(
    address: str, network: str, cut: str
) -> None:
    assert network_of(ip_address(address)) == network
    assert truncated(ip_address(address)) == cut
    assert truncated(None) is None
