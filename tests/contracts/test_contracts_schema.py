"""Times in answers: one text for one moment, which sorts like the times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.schema import Strict, Time, time_text


class Answer(Strict):
    at: Time | None


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 1, 31, 9, tzinfo=UTC), "2026-01-31T09:00:00.000000Z"),
        (datetime(2026, 1, 31, 9, 0, 0, 5, UTC), "2026-01-31T09:00:00.000005Z"),
        (
            datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-30T23:00:00.000000Z",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_has_one_text(time, text):
    assert time_text(time) == text
    assert Answer(at=time).model_dump_json() == f'{{"at":"{text}"}}'


def test_what_is_no_time_stays_none_and_what_has_no_offset_is_refused():
    assert Answer(at=None).model_dump_json() == '{"at":null}'
    with pytest.raises(ValueError, match="offset"):
        time_text(datetime(2026, 1, 31))  # noqa: DTZ001


moments = st.integers(-62_000_000_000, 253_000_000_000).flatmap(
    lambda seconds: st.integers(0, 999_999).map(
        lambda micro: (
            datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micro)
        )
    )
)


@given(moments, moments)
def test_texts_sort_like_times_and_are_read_back(one, other):
    assert (time_text(one) < time_text(other)) == (one < other)
    assert Answer.model_validate_json(Answer(at=one).model_dump_json()).at == one
