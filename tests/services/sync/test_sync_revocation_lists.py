"""A revocation list counts where it proves to be the one that is asked for; else it is none."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from kit import clock
from services.sync.egress import (
    CallLimits,
    RevocationUnknown,
)
from tests.services.sync.public_authority import HOUR, LEAF_LIST, ROOT_LIST, PublicAuthority, at
from tests.services.sync.revocable import revocable

OTHER_PART = "http://lists.example.net/other-part.crl"


def part(**changes: object) -> tuple[x509.ExtensionType, bool]:
    """The extension that says what a list is the list of."""
    given: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**given | changes), True  # type: ignore[arg-type]


LISTS_THAT_PROVE_NOTHING: dict[str, tuple[dict[str, Any], str]] = {
    "out of date": ({"issued_at": clock.now() - 3 * HOUR, "lasts": HOUR}, "it is out of date"),
    "of tomorrow": ({"issued_at": clock.now() + 20 * HOUR}, "it is of a time to come"),
    "changes only": (
        {"extensions": [(x509.DeltaCRLIndicator(1), True)]},
        "it tells changes only",
    ),
    "an extension that nobody knows": (
        {"extensions": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.9"), b""), True)]},
        "it has a critical extension that is not known here",
    ),
    "an entry's extension that nobody knows": (
        {
            "entry_extensions": [
                (x509.CertificateIssuer([at("http://somebody.example.net")]), True),
            ]
        },
        "it has a critical extension that is not known here",
    ),
    "of several authorities": (
        {"extensions": [part(indirect_crl=True)]},
        "it tells of several authorities",
    ),
    "some reasons": (
        {
            "extensions": [part(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))],
        },
        "it tells a part only",
    ),
    "attributes": (
        {"extensions": [part(only_contains_attribute_certs=True)]},
        "it tells a part only",
    ),
    "authorities": (
        {"extensions": [part(only_contains_ca_certs=True)]},
        "it tells of authorities only",
    ),
    "another part": (
        {"extensions": [part(full_name=[at(OTHER_PART)])]},
        "it is another part of the authority's list",
    ),
    "signed in an old way": ({"digest": hashes.SHA224()}, "it is signed in an old way"),
}


@pytest.mark.parametrize("kind", LISTS_THAT_PROVE_NOTHING)
async def test_a_list_that_proves_nothing_is_no_list(kind: str) -> None:
    form, reason = LISTS_THAT_PROVE_NOTHING[kind]
    async with revocable() as one:
        one.publish(7, **form)
        with pytest.raises(RevocationUnknown) as refused:
            await one.fetch()
        assert one.crm.requests == []
    where = "certificate: no revocation list can be had (lists.example.net: the list is refused:"
    assert refused.value.reason == f"{where} {reason})"


async def test_a_list_of_the_right_name_that_somebody_else_signed_is_refused() -> None:
    async with revocable() as one:
        for signer, reason in (
            (PublicAuthority().below, "its signature is not its authority's"),
            (one.authority.root, "it is of another authority"),
        ):
            one.lists.put(LEAF_LIST, signer.sign_list())
            with pytest.raises(RevocationUnknown, match=reason):
                await one.fetch()
            await one.egress.close()
            one.egress = one.guard()
        assert one.crm.requests == []


async def test_an_authority_that_may_not_sign_lists_has_none() -> None:
    async with revocable(authority=PublicAuthority(signs_lists=False)) as one:
        with pytest.raises(RevocationUnknown, match="may not sign lists"):
            await one.fetch()


ANSWERS = {
    "not there": (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "answered with status 404"),
    "elsewhere": (
        b"HTTP/1.1 302 Found\r\nLocation: http://lists.example.net/root.crl\r\n"
        b"Content-Length: 0\r\n\r\n",
        "answered with status 302",
    ),
    "too large": (b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000, "larger"),
    "endless head": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000, "broke|larger"),
    "compressed": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        "compressed",
    ),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort", "broke"),
    "no list": (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not a well-formed list"),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_what_is_no_list_at_all_is_told_and_asked_for_once(kind: str) -> None:
    answer, reason = ANSWERS[kind]
    async with revocable() as one:
        one.lists.answers["/leaves.crl"] = answer
        for _ in range(2):
            with pytest.raises(RevocationUnknown, match=reason):
                await one.fetch()
        assert sorted(one.lists.paths()) == ["/leaves.crl", "/root.crl"]
        assert one.crm.requests == []


async def test_a_list_that_drips_is_given_up() -> None:
    calls = CallLimits(connect_s=1, read_s=1, total_s=0.5)
    async with revocable(call=calls) as one:
        one.lists.drips["/leaves.crl"] = 80
        with pytest.raises(RevocationUnknown, match="took too long"):
            await one.fetch()
    async with revocable(look_s=0.3) as one:
        one.lists.drips["/leaves.crl"] = 80
        with pytest.raises(RevocationUnknown, match="its servers took too long"):
            await one.fetch()


async def test_a_list_with_more_entries_than_allowed_is_refused() -> None:
    async with revocable(entries=10) as one:
        one.publish(*range(1, 12))
        with pytest.raises(RevocationUnknown, match="too many entries"):
            await one.fetch()


async def test_a_list_for_authorities_and_one_for_leaves_are_told_apart() -> None:
    async with revocable() as one:
        leaves = part(only_contains_user_certs=True, full_name=[at(LEAF_LIST)])
        one.publish(7, extensions=[leaves])
        assert (await one.fetch()).body == b"ok"
    async with revocable() as one:
        listing = one.authority.root.sign_list(extensions=[part(only_contains_user_certs=True)])
        one.lists.put(ROOT_LIST, listing)
        with pytest.raises(RevocationUnknown, match="it tells of no authorities"):
            await one.fetch()
