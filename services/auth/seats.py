"""Who hashes a password next: tenants take turns, then the addresses of a tenant; all is bounded.

Pure. A free seat goes to the tenant that holds the fewest, equals take turns, who is new comes last
in the round; within the tenant the same rule holds for addresses. Where there is no room, the
newest of the longest queue goes, so that no crowd keeps others from queueing.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Bound(StrEnum):
    """Which bound leaves no room for a ticket."""

    ALL = "all"
    TENANT = "tenant"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seats in use at once; tickets that wait: in all, of one tenant, of one of its addresses.

    Of the seats, `reserved` ones go to tenants that hold none: whoever comes while another tenant
    floods does not wait for one of its hashes to end.
    """

    seats: int
    waiting: int
    of_tenant: int
    of_address: int
    reserved: int = 0

    @classmethod
    def for_cores(cls, cores: int) -> "Bounds":
        """A core checks some 20 passwords a second: nobody queues for more than a few seconds."""
        return cls(cores, 128 * cores, 16 * cores, 8 * cores, reserved=min(1, cores - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """One request for a seat; `address` None where the caller's address is not known."""

    tenant: Hashable
    address: Hashable | None


_Party = tuple[Hashable, ...]  # everybody, a tenant, or one of its addresses


class Seats:
    """Seats and the queue for them. A queue is a mapping in order: first comes the next in turn."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._queue: dict[Hashable, dict[Hashable | None, dict[Ticket, None]]] = {}
        self._seated: dict[Ticket, None] = {}
        self._waiting: Counter[_Party] = Counter()
        self._held: Counter[_Party] = Counter()

    def arrive(self, ticket: Ticket) -> tuple[Ticket, Bound] | None:
        """Queue the ticket; where there is no room: who has left for it (maybe itself), and why."""
        addresses = self._queue.setdefault(ticket.tenant, {})
        addresses.setdefault(ticket.address, {})[ticket] = None
        self._waiting.update(_parties(ticket))
        bound = self._exceeded(ticket)
        if bound is None:
            return None
        surplus = self._surplus(ticket, bound)
        self.leave(surplus)
        return surplus, bound

    def seat_next(self) -> Ticket | None:
        """Give a free seat to whose turn it is; None where no seat is free or nobody waits."""
        if len(self._seated) >= self._bounds.seats or not self._queue:
            return None
        tenant = min(self._queue, key=lambda one: self._held[one,])
        free = self._bounds.seats - len(self._seated)
        if self._held[tenant,] and free <= self._bounds.reserved:
            return None
        addresses = self._queue[tenant]
        address = min(addresses, key=lambda one: self._held[tenant, one])
        ticket = next(iter(addresses[address]))
        self.leave(ticket)
        _put_last(addresses, address)
        _put_last(self._queue, tenant)
        self._seated[ticket] = None
        self._held.update(_parties(ticket))
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Out of the queue or off the seat; a ticket that has left already changes nothing."""
        tenant, address = ticket.tenant, ticket.address
        if ticket in self._seated:
            del self._seated[ticket]
            self._held -= Counter(_parties(ticket))
        elif ticket in self._queue.get(tenant, {}).get(address, {}):
            del self._queue[tenant][address][ticket]
            self._waiting -= Counter(_parties(ticket))
            if not self._queue[tenant][address]:
                del self._queue[tenant][address]
            if not self._queue[tenant]:
                del self._queue[tenant]

    def _exceeded(self, ticket: Ticket) -> Bound | None:
        everybody, tenant, address = (self._waiting[party] for party in _parties(ticket))
        if ticket.address is not None and address > self._bounds.of_address:
            return Bound.ADDRESS
        if tenant > self._bounds.of_tenant:
            return Bound.TENANT
        return Bound.ALL if everybody > self._bounds.waiting else None

    def _surplus(self, ticket: Ticket, bound: Bound) -> Ticket:
        """The newest of the longest queue that the bound is about; of equals the newcomer's own."""
        tenant, address = ticket.tenant, ticket.address
        if bound is Bound.ALL:
            tenant = max(self._queue, key=lambda one: (self._waiting[one,], one == ticket.tenant))
        addresses = self._queue[tenant]
        if bound is not Bound.ADDRESS:
            address = max(
                addresses,
                key=lambda one: (self._waiting[tenant, one], ticket in addresses[one]),
            )
        return next(reversed(addresses[address]))


def _parties(ticket: Ticket) -> tuple[_Party, _Party, _Party]:
    return (), (ticket.tenant,), (ticket.tenant, ticket.address)


def _put_last(queue: dict[Any, Any], key: Hashable) -> None:
    """The last in turn, if any of it still wait."""
    if key in queue:
        queue[key] = queue.pop(key)
