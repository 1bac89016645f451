"""What work costs: a bound on its growth, which no other work on the machine can move."""

import time
from collections.abc import Callable

_ENOUGH_S = 0.01


def growth(work: Callable[[int], object], size: int) -> float:
    """How much more CPU `work` takes for twice the size: 2 where it grows like its input, 4 where
    like its square. The least of three looks: a cache that others have emptied costs as well."""
    repeat = 1
    while _cost(work, size, repeat) < _ENOUGH_S:
        repeat *= 2
    return min(_look(work, size, repeat) for _ in range(3))


def _look(work: Callable[[int], object], size: int, repeat: int) -> float:
    pairs = [(_cost(work, size, repeat), _cost(work, 2 * size, repeat)) for _ in range(3)]
    return min(twice for _, twice in pairs) / min(once for once, _ in pairs)


def _cost(work: Callable[[int], object], size: int, repeat: int) -> float:
    begin = time.process_time()
    for _ in range(repeat):
        work(size)
    return time.process_time() - begin
