"""The rules of lockout and of refresh tokens, without a database or a clock."""

from datetime import UTC, datetime, timedelta

import pytest

from services.auth.lockout import BLOCK, Attempts, after_faulty, blocked_for
from services.auth.rotation import Presented, TokenMeaning, judge

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def faulty(times: int, now: datetime = NOW) -> Attempts:
    attempts = Attempts()
    for _ in range(times):
        attempts = after_faulty(attempts, now)
    return attempts


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_up_to_three_faulty_logins_block_nothing(times: int) -> None:
    assert blocked_for(faulty(times), NOW) is None


def test_the_fourth_blocks_for_fifteen_minutes() -> None:
    assert blocked_for(faulty(4), NOW) == BLOCK == timedelta(minutes=15)
    assert blocked_for(faulty(4), NOW + BLOCK - SECOND) == SECOND
    assert blocked_for(faulty(4), NOW + BLOCK) is None


def test_after_a_block_the_row_goes_on() -> None:
    later = NOW + BLOCK
    assert blocked_for(after_faulty(faulty(4), later), later) == BLOCK


def presented(
    used: datetime | None = None,
    behind: int = 0,
    expires: datetime = NOW + HOUR,
    ends: datetime = NOW + HOUR,
    ended: datetime | None = None,
) -> Presented:
    return Presented(used, behind, expires, ends, ended)


@pytest.mark.parametrize(
    ("token", "meaning"),
    [
        (presented(), TokenMeaning.ROTATE),
        (presented(expires=NOW), TokenMeaning.ENDED),
        (presented(ends=NOW), TokenMeaning.ENDED),
        (presented(ended=NOW - SECOND), TokenMeaning.ENDED),
        (presented(used=NOW - 10 * SECOND, behind=1), TokenMeaning.REPEAT),
        (presented(used=NOW - 11 * SECOND, behind=1), TokenMeaning.REUSED),
        (presented(used=NOW - SECOND, behind=2), TokenMeaning.REUSED),
        (presented(used=NOW - SECOND, behind=1, ended=NOW), TokenMeaning.ENDED),
        (presented(used=NOW - HOUR, behind=9, expires=NOW - SECOND), TokenMeaning.REUSED),
    ],
)
def test_a_refresh_token_means_one_thing(token: Presented, meaning: TokenMeaning) -> None:
    assert judge(token, NOW) is meaning
