"""What one answer may weigh on the wire: framing, interim answers and headers count as well.

A body has a bound of its own (guard); here ends what never becomes a body: endless `100 Continue`,
chunks of one byte. A read is short, so that the work on it never holds the event loop for long.
"""

import math
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore2

from services.sync.egress.refusals import ReplyRefused

_READ_BYTES = 16 * 1024
_HEAD_BYTES = 128 * 1024  # h11 refuses a head of more than 100 KiB


@dataclass
class Allowance:
    """What the answer to the present call may still weigh; a head first, then its body."""

    body_bytes: int
    left: int = _HEAD_BYTES

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ReplyRefused("the answer is larger than allowed")

    def allow_body(self) -> None:
        """The head has come; chunks may weigh as much again as what is in them."""
        self.left = 2 * self.body_bytes + _HEAD_BYTES


# Of the call under way: the pool hands out connections, but nothing that a call could carry.
ALLOWANCE: ContextVar[Allowance] = ContextVar("allowance")


class MeteredStream(httpcore2.AsyncNetworkStream):
    """A connection that has proved its name; what is read counts for the call that reads.

    After `lasts_s` it carries no further call: the proof is too old.
    """

    def __init__(self, proved: httpcore2.AsyncNetworkStream, lasts_s: float = math.inf) -> None:
        self._proved, self._ends = proved, time.monotonic() + lasts_s

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._proved.read(min(max_bytes, _READ_BYTES), timeout)
        ALLOWANCE.get().take(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._proved.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._proved.aclose()

    def get_extra_info(self, info: str) -> Any:
        # What a pool asks of an idle connection: one that can be read has ended, and is closed.
        if info == "is_readable" and time.monotonic() >= self._ends:
            return True
        return self._proved.get_extra_info(info)
