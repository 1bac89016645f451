"""Revoked certificates: asked about before the first byte of a request leaves."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509

from services.sync.egress import (
    CallLimits,
    CertificateRefused,
    CertificateRevoked,
    Egress,
    RevocationUnknown,
)
from tests.services.sync.public_authority import LEAF_LIST, PublicAuthority, at
from tests.services.sync.public_authority import point as named
from tests.services.sync.recording import TENANT
from tests.services.sync.revocable import HOST, KEPT, revocable


async def test_a_certificate_that_is_on_no_list_is_accepted_and_each_is_looked_up() -> None:
    async with revocable() as one:
        assert (await one.fetch()).body == b"ok"
        assert sorted(one.lists.paths()) == ["/leaves.crl", "/root.crl"]
        found = one.egress.findings(HOST) or ()
    assert [(each.place, each.list_host, each.missing) for each in found] == [
        ("certificate", "lists.example.net", ""),
        ("authority 1", "lists.example.net", ""),
    ]


@pytest.mark.parametrize("unlisted", ["refuse", "accept"])
async def test_a_revoked_certificate_gets_no_byte_of_a_request(unlisted: str) -> None:
    """Whatever the kind of CRM says of certificates without a list."""
    async with revocable() as one:
        one.publish(7, one.leaf.serial, 9)
        with pytest.raises(CertificateRevoked) as refused:
            await one.fetch(unlisted=unlisted)
        assert one.crm.requests == []
    assert (refused.value.reason, refused.value.sent) == ("certificate has been revoked", False)
    assert one.ledger.ends[-1]["error"] == "certificate has been revoked"


async def test_a_revoked_authority_takes_its_certificates_with_it() -> None:
    async with revocable() as one:
        one.publish(authorities=(one.authority.below_serial,))
        with pytest.raises(CertificateRevoked, match="authority 1 has been revoked"):
            await one.fetch(unlisted="accept")
        assert one.crm.requests == []


async def test_a_large_list_is_read_beside_the_event_loop_and_counts_as_much() -> None:
    async with revocable() as one:
        one.publish(*range(1, 2000), one.leaf.serial)
        with pytest.raises(CertificateRevoked):
            await one.fetch()
        one.publish(one.leaf.serial)  # its place is known: nobody asks again
        with pytest.raises(CertificateRevoked):
            await one.fetch()


async def test_what_leaves_for_a_list_is_its_address_and_a_line_in_the_ledger() -> None:
    async with revocable() as one:
        await one.fetch(headers={"Authorization": "Bearer secret"}, body=b"", fields=("name",))
        head = b"GET /leaves.crl HTTP/1.1\r\nHost: lists.example.net\r\n"
        assert head + b"Accept-Encoding: identity\r\n\r\n" in one.lists.requests
    lines = [(call, host) for call, host in one.ledger.lines if call.operation != "test"]
    assert [host for _, host in lines] == ["lists.example.net"] * 2
    for sent, _ in lines:
        assert (sent.operation, sent.method, sent.tenant) == ("revocation-list", "GET", TENANT)
        assert (sent.headers, sent.body, sent.fields, sent.rows) == ({}, b"", (), 0)
    assert {end["status"] for end in one.ledger.ends} == {200}


@pytest.mark.parametrize("points", ["none", "other kinds", "another authority's", "some reasons"])
async def test_a_certificate_that_names_no_list_of_use_has_none(points: str) -> None:
    reasons = frozenset({x509.ReasonFlags.key_compromise})
    somebody = [x509.DirectoryName(x509.Name([]))]
    given: dict[str, list[Any]] = {
        "none": [named(x509.DirectoryName(x509.Name([])))],
        "other kinds": ["ldap://lists.example.net/leaves"],
        "another authority's": [named(at(LEAF_LIST), crl_issuer=somebody)],
        "some reasons": [named(at(LEAF_LIST), reasons=reasons)],
    }
    async with revocable(*given[points]) as one:
        with pytest.raises(RevocationUnknown, match="it names none"):
            await one.fetch()
        assert one.crm.requests == []
        assert (await one.fetch(unlisted="accept")).body == b"ok"
        (leaf, _) = one.egress.findings(HOST) or ()
    assert (leaf.missing, leaf.issued_at) == ("it names none", None)


async def test_what_was_accepted_without_a_list_serves_no_call_that_does_not_allow_it() -> None:
    async with revocable("ldap://lists.example.net/leaves", answer=KEPT) as one:
        one.crm.keeps = True
        assert (await one.fetch(unlisted="accept")).body == b"ok"
        with pytest.raises(RevocationUnknown):
            await one.fetch()


async def test_the_next_address_is_asked_where_one_fails_and_no_more_than_a_few() -> None:
    many = [f"http://lists.example.net/{number}.crl" for number in range(3)]
    async with revocable(*many, LEAF_LIST) as one:
        assert (await one.fetch()).body == b"ok"
        assert [path for path in one.lists.paths() if path != "/root.crl"] == [
            "/0.crl",
            "/1.crl",
            "/2.crl",
            "/leaves.crl",
        ]
    async with revocable(*many, LEAF_LIST, addresses=3) as one:
        with pytest.raises(RevocationUnknown, match="status 404"):
            await one.fetch()


async def test_a_certificate_that_is_not_valid_makes_nobody_ask_for_lists() -> None:
    async with revocable() as one:
        stranger = replace(one.name(), ca_pem=PublicAuthority().root.pem.decode())
        one.egress = Egress.injecting(stranger, lists=one.list_name())
        with pytest.raises(CertificateRefused, match="not trusted"):
            await one.fetch()
        assert one.lists.requests == []


@pytest.mark.parametrize(("proof_s", "connections"), [(900.0, 1), (0.0, 3)])
async def test_a_connection_lasts_as_long_as_its_proof(proof_s: float, connections: int) -> None:
    """A revocation is noticed although a connection is never idle for long."""
    calls = CallLimits(proof_s=proof_s)
    async with revocable(answer=KEPT, calls=calls) as one:
        one.crm.keeps = True
        for _ in range(3):
            assert (await one.fetch()).body == b"ok"
        assert one.crm.connections == connections
        assert len(one.crm.requests) == 3
