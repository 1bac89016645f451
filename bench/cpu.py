"""What a process has spent of the processors, from proc(5)."""

import contextlib
import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def spent_s(pid: int) -> float:
    """User and system time of a process and its ended children, in seconds; 0 for none."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICK
    return 0.0


def children(pid: int) -> list[int]:
    """The processes that this one has started and that are there."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    with contextlib.suppress(OSError):
        return [int(one) for one in path.read_text().split()]
    return []
