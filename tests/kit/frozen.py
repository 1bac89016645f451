"""Whether a process stands still."""

from pathlib import Path


def is_frozen(pid: int | None) -> bool:
    """True when every thread has stopped: the signal reaches them one after the other."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)
