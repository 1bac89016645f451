"""The present, in one place: pure modules take `now` as an argument, edges ask here."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, with time zone UTC."""
    return datetime.now(UTC)
