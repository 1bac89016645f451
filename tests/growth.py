"""How the cost of a call grows with its input: a ratio of CPU times, never a time."""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

_Input = TypeVar("_Input")
TWICE = 2.5
"""Twice the input may cost this much more; quadratic work costs four times as much."""


def growth(run: Callable[[_Input], object], make: Callable[[int], _Input], size: int) -> float:
    """CPU for an input of twice the size through CPU for `size`; the best of seven each, and the
    best of three such ratios: what else the machine does makes some of them larger.

    Choose `size` so that a run lasts some milliseconds. The garbage collector is off meanwhile:
    its turns depend on everything else that this process holds.
    """
    small, large = make(size), make(2 * size)
    gc.collect()
    gc.disable()
    try:
        return min(_ratio(run, small, large) for _ in range(3))
    finally:
        gc.enable()


def _ratio(run: Callable[[_Input], object], small: _Input, large: _Input) -> float:
    return min(_cpu(run, large) for _ in range(7)) / min(_cpu(run, small) for _ in range(7))


def _cpu(run: Callable[[_Input], object], given: _Input) -> float:
    begun = time.process_time()
    run(given)
    return time.process_time() - begun
