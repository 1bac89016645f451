"""Days and moments as a column's behaviour wants them; pure.

A day that is sent into a column of moments shifts by a day for users in another time zone, and a
moment has no day of its own: neither is guessed.
"""

import re
from datetime import UTC, date, datetime, time

from services.sync.crm.dataverse.refused_values import NotConvertible

DAYS, INDEPENDENT = "DateOnly", "TimeZoneIndependent"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_FIRST_YEAR = 1753  # the database of Dataverse knows none before


def day(value: object) -> str:
    """Edm.Date; of a moment only where it is a midnight, of which the day is plain."""
    if found := _day_of(value):
        return _in_range(found).isoformat()
    moment = _moment_of(value)
    if moment.time() != time(0):
        raise NotConvertible("the value is a moment, and the column holds a day")
    return _in_range(moment.date()).isoformat()


def moment(value: object) -> str:
    """Edm.DateTimeOffset in UTC; Dataverse keeps whole seconds."""
    if _day_of(value):
        raise NotConvertible(
            "the value is a day, and the column holds a moment that each user sees in another zone"
        )
    return _utc(value)


def independent(value: object) -> str:
    """A moment, or a day as its midnight: no time zone ever moves it."""
    if found := _day_of(value):
        return f"{_in_range(found).isoformat()}T00:00:00Z"
    return _utc(value)


def _utc(value: object) -> str:
    try:
        found = _moment_of(value).astimezone(UTC)
    except OverflowError:
        raise _out_of_range() from None
    _in_range(found.date())
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def _day_of(value: object) -> date | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _no_date() from None


def _moment_of(value: object) -> datetime:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise _no_date()
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _no_date() from None


def _in_range(found: date) -> date:
    if found.year < _FIRST_YEAR:
        raise _out_of_range()
    return found


def _no_date() -> NotConvertible:
    return NotConvertible("the value is neither a date nor a time with its offset")


def _out_of_range() -> NotConvertible:
    return NotConvertible(f"the value is not between the years {_FIRST_YEAR} and 9999")
