"""Seats for password hashing: whoever floods, the others get their share and their place."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.seats import Bound, Bounds, Seats, Ticket

WIDE = Bounds(seats=1, waiting=1000, of_tenant=1000, of_address=1000)
TENANTS, ADDRESSES = "abc", [None, "x", "y", "z"]
WHO = st.tuples(st.sampled_from(TENANTS), st.sampled_from(ADDRESSES))


def queued(seats: Seats, tenant: str, *addresses: str | None) -> list[Ticket]:
    tickets = [Ticket(tenant, address) for address in addresses]
    for ticket in tickets:
        assert seats.arrive(ticket) is None
    return tickets


def served(seats: Seats, count: int) -> list[Ticket]:
    """So many one after the other, each leaving before the next."""
    order = []
    for _ in range(count):
        ticket = seats.seat_next()
        assert ticket is not None
        seats.leave(ticket)
        order.append(ticket)
    return order


def test_a_quiet_tenant_is_next_however_long_the_others_queue_is() -> None:
    seats = Seats(WIDE)
    queued(seats, "a", *["x"] * 500)
    (quiet,) = queued(seats, "b", "y")
    assert quiet in served(seats, 2)


def test_tenants_take_turns_and_so_do_addresses_within_one() -> None:
    seats = Seats(WIDE)
    queued(seats, "a", "x", "x", "x", "y", "z")
    queued(seats, "b", "x", "x")
    order = [(ticket.tenant, ticket.address) for ticket in served(seats, 7)]
    assert [tenant for tenant, _ in order] == ["a", "b", "a", "b", "a", "a", "a"]
    assert [address for tenant, address in order if tenant == "a"] == ["x", "y", "z", "x", "x"]


def test_of_one_address_the_first_comes_first() -> None:
    seats = Seats(WIDE)
    tickets = queued(seats, "a", "x", "x", "x")
    assert served(seats, 3) == tickets


def test_who_keeps_a_seat_long_gets_no_second_one_before_others_have_theirs() -> None:
    seats = Seats(Bounds(seats=4, waiting=99, of_tenant=99, of_address=99))
    queued(seats, "a", "x", "x", "x", "x", "x", "x")
    held = [seats.seat_next(), seats.seat_next(), seats.seat_next(), seats.seat_next()]
    queued(seats, "b", "y", "y", "y")
    for ticket in held[:2]:
        assert ticket is not None
        seats.leave(ticket)
    assert [one.tenant for one in (seats.seat_next(), seats.seat_next()) if one] == ["b", "b"]
    assert seats.seat_next() is None


def test_only_the_seats_of_this_moment_count_and_not_those_given_back() -> None:
    seats = Seats(Bounds(seats=2, waiting=99, of_tenant=99, of_address=99))
    queued(seats, "a", "x", "x", "x")
    served(seats, 3)
    queued(seats, "b", "y", "y")
    assert seats.seat_next()
    (next_one,) = queued(seats, "a", "x")
    assert seats.seat_next() is next_one


def test_who_left_the_queue_is_not_called_and_leaving_twice_frees_nothing() -> None:
    seats = Seats(WIDE)
    gone, stays, last = queued(seats, "a", "x", "x", "x")
    seats.leave(gone)
    seats.leave(gone)
    assert seats.seat_next() is stays
    assert seats.seat_next() is None
    seats.leave(stays)
    seats.leave(stays)
    assert seats.seat_next() is last
    assert seats.seat_next() is None


@pytest.mark.parametrize(
    ("bounds", "address", "bound"),
    [
        (Bounds(1, 9, 9, 3), "x", Bound.ADDRESS),
        (Bounds(1, 9, 3, 9), "x", Bound.TENANT),
        (Bounds(1, 3, 9, 9), "x", Bound.ALL),
        (Bounds(1, 9, 3, 1), None, Bound.TENANT),
    ],
)
def test_a_bound_holds_to_the_last_place(bounds: Bounds, address: str | None, bound: Bound) -> None:
    seats = Seats(bounds)
    first, *_ = queued(seats, "a", address, address, address)
    late = Ticket("a", address)
    assert seats.arrive(late) == (late, bound)
    seats.leave(first)
    queued(seats, "a", address)


def test_an_unknown_address_has_no_bound_of_its_own() -> None:
    queued(Seats(Bounds(1, 9, 9, 1)), "a", *[None] * 9)


def test_in_a_full_house_the_newest_of_the_longest_queue_makes_room() -> None:
    seats = Seats(Bounds(seats=1, waiting=5, of_tenant=5, of_address=5))
    *_, newest = queued(seats, "a", "x", "x", "x")
    queued(seats, "b", "x", "x")
    assert seats.arrive(Ticket("c", "y")) == (newest, Bound.ALL)
    late = Ticket("c", "y")
    assert seats.arrive(late) == (late, Bound.ALL), "of equally long ones its own"


def test_in_a_full_tenant_the_newest_of_the_longest_address_makes_room() -> None:
    seats = Seats(Bounds(seats=1, waiting=9, of_tenant=4, of_address=4))
    _, _, newest = queued(seats, "a", "x", "x", "x")
    queued(seats, "a", "y")
    assert seats.arrive(Ticket("a", "z")) == (newest, Bound.TENANT)


def test_a_core_has_these_bounds() -> None:
    assert Bounds.for_cores(1) == Bounds(1, 128, 16, 8, reserved=0)
    assert Bounds.for_cores(2) == Bounds(2, 256, 32, 16, reserved=1)


def test_the_last_seat_is_kept_for_a_tenant_that_holds_none() -> None:
    seats = Seats(Bounds(3, 99, 99, 99, reserved=1))
    queued(seats, "a", "x", "x", "x", "x")
    assert [bool(seats.seat_next()) for _ in range(3)] == [True, True, False]
    (newcomer,) = queued(seats, "b", "y")
    assert seats.seat_next() is newcomer


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.one_of(WHO, st.integers(0, 3), st.none()), max_size=120),
)
def test_whatever_happens_no_seat_goes_past_who_holds_fewer(
    size: int, events: list[tuple[str, str | None] | int | None]
) -> None:
    """Arrivals, leaves of those seated, calls: against a plain count of who waits and holds."""
    bounds = Bounds(seats=size, waiting=20, of_tenant=9, of_address=4)
    seats = Seats(bounds)
    waiting: list[Ticket] = []
    seated: list[Ticket] = []
    for event in events:
        if isinstance(event, tuple):
            ticket = Ticket(*event)
            waiting.append(ticket)
            if surplus := seats.arrive(ticket):
                waiting.remove(surplus[0])
        elif isinstance(event, int):
            crowd = seated or waiting
            if crowd:
                seats.leave(crowd.pop(event % len(crowd)))
        elif ticket_or_none := seats.seat_next():
            check_turn(ticket_or_none, waiting, seated)
            waiting.remove(ticket_or_none)
            seated.append(ticket_or_none)
        else:
            assert len(seated) == size or not waiting
        check_bounds(waiting, bounds)
        assert len(seated) <= size


def check_turn(ticket: Ticket, waiting: list[Ticket], seated: list[Ticket]) -> None:
    held = Counter(one.tenant for one in seated)
    assert held[ticket.tenant] == min(held[one.tenant] for one in waiting)
    own = Counter(one.address for one in seated if one.tenant == ticket.tenant)
    others = [one for one in waiting if one.tenant == ticket.tenant]
    assert own[ticket.address] == min(own[one.address] for one in others)
    same = [one for one in others if one.address == ticket.address]
    assert ticket is same[0], "of one address the first comes first"


def check_bounds(waiting: list[Ticket], bounds: Bounds) -> None:
    assert len(waiting) <= bounds.waiting
    assert all(n <= bounds.of_tenant for n in Counter(one.tenant for one in waiting).values())
    known = Counter((one.tenant, one.address) for one in waiting if one.address is not None)
    assert all(n <= bounds.of_address for n in known.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(WHO, min_size=2, max_size=60), st.integers(1, 60))
def test_while_both_wait_no_tenant_gets_two_turns_more_than_another(
    who: list[tuple[str, str | None]], turns: int
) -> None:
    seats, waiting, turned = Seats(WIDE), Counter(tenant for tenant, _ in who), Counter[object]()
    for one in who:
        seats.arrive(Ticket(*one))
    for ticket in served(seats, min(turns, len(who))):
        turned[ticket.tenant] += 1
        waiting[str(ticket.tenant)] -= 1
        still = [turned[tenant] for tenant in TENANTS if waiting[tenant]]
        assert not still or turned[ticket.tenant] - min(still) <= 1
