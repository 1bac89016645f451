"""Retention against golden files: each line says what a full is and what becomes of it."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.backup.vault.retention import Candidate, expired

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAYS = [Candidate(UUID(int=day), datetime(2029, 1, day, tzinfo=UTC), True) for day in range(1, 7)]
GOLDEN = sorted((Path(__file__).parent / "golden" / "retention").glob("*.txt"))


def read(path: Path) -> tuple[list[Candidate], list[Candidate]]:
    """The fulls of a file, and those that are to expire."""
    fulls, going = [], []
    for number, line in enumerate(path.read_text().splitlines()):
        if line.startswith("#"):
            continue
        day, state, _, verdict = line.split()
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        full = Candidate(UUID(int=number), at, state == "verified")
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
            Candidate(
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
    ahead = Candidate(UUID(int=99), NOW + timedelta(microseconds=1), True)
    assert expired([*DAYS[:5], ahead], NOW) == []
    assert expired([*DAYS, ahead], NOW) == DAYS[:1]
    now_is_known = Candidate(UUID(int=99), NOW, True)
    assert expired([*DAYS[:5], now_is_known], NOW) == DAYS[:1]


def test_fulls_of_the_future_stay_few_too() -> None:
    """A clock that is ahead for weeks: by the order in which they were asked for."""
    ahead = [
        Candidate(UUID(int=number), NOW + timedelta(days=9 - number), True) for number in range(7)
    ]
    assert expired(ahead, NOW) == ahead[:2]
    assert expired(ahead[:5], NOW) == []


def hanging(number: int, on: Candidate, at: datetime | None = None) -> Candidate:
    return Candidate(UUID(int=number), at or on.at + timedelta(hours=number), True, on.backup)


def test_what_hangs_on_a_full_takes_no_fulls_place() -> None:
    """Five fulls stay, whatever number of others is newer."""
    on_newest = [hanging(number, DAYS[4]) for number in range(100, 110)]
    assert expired([*DAYS[:5], *on_newest], NOW) == []


def test_what_hangs_on_a_full_stays_as_long_as_the_full_and_goes_before_it() -> None:
    on_first = [hanging(number, DAYS[0]) for number in (101, 102)]
    on_second = [hanging(number, DAYS[1]) for number in (103, 104)]
    found = [*DAYS[:5], *on_first, *on_second]
    assert expired(found, NOW) == []
    going = [*reversed(on_first), DAYS[0]]
    for seed in range(10):
        shuffled = random.Random(seed).sample([*found, DAYS[5]], len(found) + 1)
        assert expired(shuffled, NOW) == going


def test_how_old_it_is_decides_nothing_for_what_hangs_on_a_full() -> None:
    """Newer than the full after its own, or older than its own: a clock may have jumped."""
    newer, older = hanging(101, DAYS[0], NOW), hanging(102, DAYS[1], DAYS[0].at)
    assert expired([*DAYS, newer, older], NOW) == [newer, DAYS[0]]
    ahead = hanging(103, DAYS[0], NOW + timedelta(days=1))
    assert expired([*DAYS, ahead], NOW) == [ahead, DAYS[0]]


def test_what_hangs_on_a_full_that_is_nowhere_goes_when_its_time_is_over() -> None:
    """Until then it may continue the full before: with it lost, the older ones count for more."""
    lost = Candidate(UUID(int=99), DAYS[1].at, True)
    old, young = hanging(101, lost, DAYS[0].at), hanging(102, lost, DAYS[2].at)
    assert expired([*DAYS[1:], old, young], NOW) == [old]
    assert expired([*DAYS[2:], old, young], NOW) == []


def test_a_series_is_kept_whole_or_goes_whole_over_random_histories() -> None:
    for seed in range(500):
        chance = random.Random(seed)
        fulls = [
            Candidate(
                UUID(int=chance.getrandbits(120)),
                datetime.fromtimestamp(chance.randrange(50), UTC),
                chance.random() < 0.7,
            )
            for _ in range(chance.randrange(1, 15))
        ]
        others = [
            hanging(chance.getrandbits(120), chance.choice(fulls), fulls[0].at) for _ in range(20)
        ]
        going = expired(chance.sample([*fulls, *others], len(fulls) + 20), NOW)
        assert [one for one in going if one.base is None] == expired(fulls, NOW)
        for one in others:
            full = next(full for full in fulls if full.backup == one.base)
            assert (one in going) == (full in going)
            assert full not in going or going.index(one) < going.index(full)
