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
