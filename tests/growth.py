"""How the cost of a call grows with its input: a ratio of CPU times, never a time."""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

_Input = TypeVar("_Input")
TWICE = 2.5
"""Twice the input may cost this much more; quadratic work costs four times as much."""
_MEASURABLE_S = 0.005


def growth(run: Callable[[_Input], object], make: Callable[[int], _Input], size: int) -> float:
    """CPU for an input of twice the size through CPU for `size`; the best of seven each, and the
    best of three such ratios: what else the machine does makes some of them larger.

    A short run is repeated until it can be measured. The garbage collector is off meanwhile: its
    turns depend on everything else that this process holds.
    """
    small, large = make(size), make(2 * size)
    gc.collect()
    gc.disable()
    try:
        repeat = 1
        while _cpu(run, small, repeat) < _MEASURABLE_S:
            repeat *= 2
        return min(_ratio(run, small, large, repeat) for _ in range(3))
    finally:
        gc.enable()


def _ratio(run: Callable[[_Input], object], small: _Input, large: _Input, repeat: int) -> float:
    best = [min(_cpu(run, one, repeat) for _ in range(7)) for one in (small, large)]
    return best[1] / best[0]


def _cpu(run: Callable[[_Input], object], given: _Input, repeat: int) -> float:
    begun = time.process_time()
    for _ in range(repeat):
        run(given)
    return time.process_time() - begun
