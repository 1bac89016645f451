"""UUIDv7 (RFC 9562 section 5.7): sortable by time of creation, 74 random bits."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """A fresh UUIDv7 with millisecond time."""
    millis = time.time_ns() // 1_000_000
    value = millis << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
