"""What work costs: a bound on its growth, which no other work on the machine can move."""

import time
from collections.abc import Callable

_ENOUGH_S = 0.01


def growth(work: Callable[[int], object], size: int) -> float:
    """How much more CPU `work` takes for twice the size: 2 where it grows like its input."""
    repeat = 1
    while (once := _cost(work, size, repeat)) < _ENOUGH_S:
        repeat *= 2
    first = min(once, *(_cost(work, size, repeat) for _ in range(4)))
    return min(_cost(work, 2 * size, repeat) for _ in range(5)) / first


def _cost(work: Callable[[int], object], size: int, repeat: int) -> float:
    begin = time.process_time()
    for _ in range(repeat):
        work(size)
    return time.process_time() - begin
