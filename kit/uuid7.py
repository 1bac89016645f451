"""UUIDv7 (RFC 9562 section 5.7): sortable by time of creation, 62 random bits."""

import os
import threading
import time
from uuid import UUID

_TICKS_A_MILLI = 4096  # the 12 bits of rand_a are a fraction of the millisecond (6.2, method 3)

_lock = threading.Lock()
_last = 0  # ticks


def uuid7() -> UUID:
    """A fresh UUIDv7, greater than any that this process has made before, also when its clock has
    been set back."""
    millis, fraction = divmod(_next_tick(), _TICKS_A_MILLI)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=millis << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def _next_tick() -> int:
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() * _TICKS_A_MILLI // 1_000_000)
        return _last
