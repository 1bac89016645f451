"""Identifiers sort by when they were made, also within a millisecond."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.uuid7 import uuid7


def test_each_is_greater_than_all_before_it() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_it_is_the_time_of_its_creation_with_the_bits_of_its_version() -> None:
    before = time.time_ns() // 1_000_000
    one = uuid7()
    assert before <= one.int >> 80 <= time.time_ns() // 1_000_000 + 1
    assert (one.version, one.variant) == (7, "specified in RFC 4122")


def test_a_clock_that_was_set_back_does_not_break_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = uuid7()
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "time_ns", lambda: 1_000_000_000)
        meanwhile = [uuid7() for _ in range(10_000)]  # more than there are ticks in a millisecond
    made = [before, *meanwhile, uuid7()]
    assert made == sorted(set(made))


def test_threads_never_make_the_same_time_twice() -> None:
    with ThreadPoolExecutor(8) as threads:
        parts = list(threads.map(lambda _: [uuid7() for _ in range(5_000)], range(8)))
    times = [one.int >> 62 for part in parts for one in part]
    assert len(set(times)) == len(times)
    assert all(part == sorted(part) for part in parts)
