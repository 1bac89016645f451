"""What revocation lists may cost: read in one pass, looked up by halving, kept in bounds."""

import asyncio
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from kit import clock
from services.sync.egress import ListLimits, RevocationUnknown
from services.sync.egress.asking import Asking
from services.sync.egress.list_shelf import ListShelf, ListUnavailable
from services.sync.revocation import Finding, ListQuestion, ListRefused, RevocationList, told
from services.sync.revocation.lists import packed
from services.sync.revocation.reading import answer, read
from tests.eventually import eventually
from tests.growth import growth
from tests.services.sync.public_authority import LEAF_LIST, PublicAuthority
from tests.services.sync.recording import RecordingLedger, call
from tests.services.sync.revocable import revocable

AUTHORITY = PublicAuthority()
ISSUER = AUTHORITY.below.certificate.public_bytes(serialization.Encoding.DER)
ASKING = Asking(call("https://crm.example.com/", "crm.example.com"), RecordingLedger())


def question(*addresses: str, entries: int = 500_000) -> ListQuestion:
    return ListQuestion(ISSUER, addresses or (LEAF_LIST,), False, clock.now(), entries)


def test_twice_as_many_entries_take_about_twice_the_time() -> None:
    made = {size: AUTHORITY.below.sign_list(*range(1, size + 1)) for size in (10_000, 20_000)}
    assert growth(lambda size: read(question(), made[size]), int, 10_000) <= 2.5


def test_looking_up_costs_next_to_nothing_more_in_a_longer_list() -> None:
    made = {
        size: read(question(), AUTHORITY.below.sign_list(*range(1, size + 1)))
        for size in (10_000, 20_000)
    }

    def look(size: int) -> None:
        for serial in range(0, 2000, 7):
            made[size].names(serial)

    assert growth(look, int, 10_000) <= 1.5


@given(st.lists(st.integers(1, 2**160 - 1), max_size=40), st.integers(1, 2**160 - 1))
def test_a_list_names_what_is_in_it_and_nothing_else(serials: list[int], other: int) -> None:
    rows = b"".join(sorted(packed(one) for one in serials))
    made = RevocationList(clock.now(), clock.now() + timedelta(hours=1), rows)
    assert all(made.names(one) for one in serials)
    assert made.names(other) == (other in serials)
    assert RevocationList.of(made.to_bytes()) == made


@pytest.mark.parametrize("serial", [2**168, -1])
def test_a_number_that_no_certificate_may_have_is_on_no_list(serial: int) -> None:
    """It is an error, which counts as a certificate that is not well-formed."""
    made = RevocationList(clock.now(), clock.now() + timedelta(hours=1), b"")
    with pytest.raises(ValueError, match="serial number"):
        made.names(serial)


@pytest.mark.parametrize(
    ("age", "told_age"),
    [(-3, "less than an hour old"), (0, "less than an hour old"), (5, "5 h old"), (72, "3 days")],
)
def test_a_finding_tells_the_age_of_its_list(age: int, told_age: str) -> None:
    now = clock.now()
    finding = Finding("certificate", "lists.example.net", now - timedelta(hours=age))
    assert told([finding], now).startswith(
        f"certificate: not revoked by the list of lists.example.net, {told_age}"
    )


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(der: bytes) -> None:
    with pytest.raises(ListRefused):
        read(question(), der)


def test_a_process_of_its_own_answers_as_the_reader_does() -> None:
    good = AUTHORITY.below.sign_list(7, 9)
    asked = question()
    assert RevocationList.of(answer(asked.to_bytes() + good)) == read(asked, good)
    with pytest.raises(ListRefused, match="not a well-formed list"):
        RevocationList.of(answer(asked.to_bytes() + b"no list"))


class _Lists:
    """Hands out a list for every address, and counts."""

    def __init__(self, der: bytes) -> None:
        self._der, self.fetched = der, list[str]()

    async def fetch(self, url: str, _: Asking) -> bytes:
        self.fetched.append(url)
        return self._der


async def test_few_lists_and_few_bytes_are_kept_the_longest_unused_ones_go() -> None:
    lists = _Lists(AUTHORITY.below.sign_list(*range(1, 11)))
    for limits, kept in ((ListLimits(kept=3), 3), (ListLimits(kept_bytes=21 * 10 * 4), 4)):
        lists.fetched.clear()
        shelf = ListShelf(lists, limits)  # type: ignore[arg-type]  # a network is not needed here
        urls = [f"http://lists.example.net/{number}.crl" for number in range(8)]
        for url in urls:
            await shelf.get(url, question(url), ASKING)
            await shelf.get(urls[0], question(urls[0]), ASKING)
        assert len(shelf) == kept
        assert shelf.weight <= 21 * 10 * kept
        assert lists.fetched == urls


async def test_addresses_without_a_list_are_forgotten_as_well() -> None:
    shelf = ListShelf(_Lists(b"no list"), ListLimits(kept=3))  # type: ignore[arg-type]  # as above
    for number in range(8):
        url = f"http://lists.example.net/{number}.crl"
        with pytest.raises(ListUnavailable, match="not a well-formed list"):
            await shelf.get(url, question(url), ASKING)
    assert len(shelf) == 3


async def test_few_lists_are_fetched_at_once() -> None:
    many = [f"http://lists.example.net/{number}.crl" for number in range(4)]
    async with revocable(many[0], fetches=1) as one:
        one.lists.hold.clear()
        asked = asyncio.create_task(one.fetch())
        await eventually(lambda: one.lists.requests)
        assert len(one.lists.requests) == 1
        one.lists.hold.set()
        with pytest.raises(RevocationUnknown):
            await asked
        assert len(one.lists.requests) == 2
