"""Seats for callers: one waits for its turn, is refused by a named bound, or has gone and costs
nothing. Only who holds a seat can hash or verify a password.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any

from contracts.caller import Caller, network_of
from contracts.ids import TenantId
from kit.problems import Problem
from kit.supervisor import spawn
from services.auth import account_log
from services.auth.account_log import Event, LoginReason
from services.auth.passwords import Passwords
from services.auth.problems import CallerGone, LoginBusy, TooManyLogins
from services.auth.seats import Bound, Bounds, Seats, Ticket

LONGEST_WAIT_S = 10.0


class Seat:
    """The right to hash, which Seating gives and nobody else."""

    def __init__(self, passwords: Passwords) -> None:
        self.hash, self.verify = passwords.hash, passwords.verify


class Seating:
    """`is_known` says whether a tenant queues for itself: whoever invents tenants has one queue
    for all of them."""

    def __init__(
        self,
        passwords: Passwords,
        is_known: Callable[[TenantId], bool],
        bounds: Bounds | None = None,
        wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._passwords, self._is_known, self._wait_s = passwords, is_known, wait_s
        self._seats = Seats(bounds or Bounds.for_cores(passwords.at_once))
        self._turns: dict[Ticket, asyncio.Future[LoginReason | None]] = {}

    @contextlib.asynccontextmanager
    async def seat(self, tenant: TenantId | None, caller: Caller) -> AsyncIterator[Seat]:
        """Wait for a seat: LoginBusy or TooManyLogins where there is no room to wait."""
        ticket = Ticket(self._queue_of(tenant), caller.address and network_of(caller.address))
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            if surplus := self._seats.arrive(ticket):
                self._tell(surplus[0], _FULL[surplus[1]])
            self._call_next()
            if reason := await self._waited(turn, caller):
                account_log.write(Event.TURNED_AWAY, caller, tenant, reason=reason)
                raise _refusal(reason)
            yield Seat(self._passwords)
        finally:
            self._seats.leave(ticket)
            del self._turns[ticket]
            self._call_next()

    def close(self) -> None:
        self._passwords.close()

    def _queue_of(self, tenant: TenantId | None) -> Hashable:
        if tenant is None:
            return "operators"
        return tenant if self._is_known(tenant) else "unknown"

    async def _waited(
        self, turn: asyncio.Future[LoginReason | None], caller: Caller
    ) -> LoginReason | None:
        """None when it is the turn of a caller who is still there; else why it will not be."""
        gone = spawn(caller.gone(), "a caller goes")
        try:
            either: set[asyncio.Future[Any]] = {turn, gone}
            await asyncio.wait(either, timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return LoginReason.CALLER_GONE
            return turn.result() if turn.done() else LoginReason.WAITED_TOO_LONG
        finally:
            gone.cancel()
            await asyncio.wait({gone})

    def _call_next(self) -> None:
        while (ticket := self._seats.seat_next()) is not None:
            self._tell(ticket, None)

    def _tell(self, ticket: Ticket, reason: LoginReason | None) -> None:
        self._turns[ticket].set_result(reason)


_FULL = {
    Bound.ALL: LoginReason.QUEUE_FULL_ALL,
    Bound.TENANT: LoginReason.QUEUE_FULL_TENANT,
    Bound.ADDRESS: LoginReason.QUEUE_FULL_ADDRESS,
}


def _refusal(reason: LoginReason) -> Problem:
    match reason:
        case LoginReason.CALLER_GONE:
            return CallerGone()
        case LoginReason.QUEUE_FULL_ADDRESS:
            return TooManyLogins("too many logins from this address are waiting")
        case LoginReason.QUEUE_FULL_TENANT:
            return TooManyLogins("too many logins of this tenant are waiting")
        case LoginReason.QUEUE_FULL_ALL:
            return LoginBusy("too many logins of all tenants are waiting")
    return LoginBusy("it was not this login's turn in time")
