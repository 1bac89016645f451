"""Retention against golden files: each line says what a full is and what becomes of it."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.backup.vault.retention import Full, expired

NOW = datetime(2030, 1, 1, tzinfo=UTC)
GOLDEN = sorted((Path(__file__).parent / "golden" / "retention").glob("*.txt"))


def read(path: Path) -> tuple[list[Full], list[Full]]:
    """The fulls of a file, and those that are to expire."""
    fulls, going = [], []
    for number, line in enumerate(path.read_text().splitlines()):
        if line.startswith("#"):
            continue
        day, state, _, verdict = line.split()
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        full = Full(UUID(int=number), at, state == "verified")
        fulls.append(full)
        if verdict == "expire":
            going.append(full)
    return fulls, going


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_retention_is_as_the_golden_file_says_in_any_order(path: Path) -> None:
    fulls, going = read(path)
    for seed in range(10):
        shuffled = random.Random(seed).sample(fulls, len(fulls))
        assert expired(shuffled, NOW) == going


def test_fewer_than_five_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="never enough"):
        expired([], NOW, keep=4)


def test_whatever_expires_five_verified_newer_ones_stay() -> None:
    """Over random histories: nothing verified among the five newest ever goes."""
    for seed in range(500):
        chance = random.Random(seed)
        fulls = [
            Full(
                UUID(int=chance.getrandbits(120)),
                datetime.fromtimestamp(chance.randrange(50), UTC),
                chance.random() < 0.6,
            )
            for _ in range(chance.randrange(20))
        ]
        going = expired(fulls, NOW)
        left = [full for full in fulls if full not in going]
        verified = sum(full.verified for full in fulls)
        assert sum(full.verified for full in left) == min(5, verified)
        assert not going or max(full.at for full in going) <= min(full.at for full in left)


def test_a_full_of_the_future_takes_no_others_place_and_loses_its_own_to_none() -> None:
    days = [Full(UUID(int=day), datetime(2029, 1, day, tzinfo=UTC), True) for day in range(1, 7)]
    ahead = Full(UUID(int=99), NOW + timedelta(microseconds=1), True)
    assert expired([*days[:5], ahead], NOW) == []
    assert expired([*days, ahead], NOW) == days[:1]
    now_is_known = Full(UUID(int=99), NOW, True)
    assert expired([*days[:5], now_is_known], NOW) == days[:1]


def test_fulls_of_the_future_stay_few_too() -> None:
    """A clock that is ahead for weeks: by the order in which they were asked for."""
    ahead = [Full(UUID(int=number), NOW + timedelta(days=9 - number), True) for number in range(7)]
    assert expired(ahead, NOW) == ahead[:2]
    assert expired(ahead[:5], NOW) == []
