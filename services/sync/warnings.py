"""What of a connection's credentials needs somebody soon, in sentences; pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.sync.credential import CURRENT, NEXT, CredentialKind, Slot
from services.sync.store.credentials import CredentialRow

_EARLY = timedelta(days=30)
_NAMES: dict[CredentialKind, str] = {"secret": "client secret", "certificate": "certificate"}
_WHERE: dict[Slot, str] = {CURRENT: "in use", NEXT: "that is staged"}


def warnings(rows: Sequence[CredentialRow], now: datetime) -> list[str]:
    """At most two of each slot; nothing is said of what was replaced."""
    return [
        text
        for row in rows
        if row.slot in _WHERE
        for text in (_of_its_end(row, now), _of_a_refusal(row))
        if text
    ]


def _of_its_end(row: CredentialRow, now: datetime) -> str:
    if row.expires_at is None or row.expires_at - now > _EARLY:
        return ""
    day = f"{row.expires_at:%Y-%m-%d}"
    if row.expires_at <= now:
        return f"{_named(row)} has ended on {day}"
    return f"{_named(row)} ends on {day}{_in_days((row.expires_at - now).days)}"


def _in_days(days: int) -> str:
    return f", in {days} days" if days > 1 else f", in {days} day" if days else ", within a day"


def _of_a_refusal(row: CredentialRow) -> str:
    """Where the last thing that the CRM said of it is a refusal."""
    if row.refused_at is None or (row.accepted_at and row.accepted_at >= row.refused_at):
        return ""
    return f"{_named(row)} is refused: {row.refused_reason}"


def _named(row: CredentialRow) -> str:
    return f"the {_NAMES[row.kind]} {_WHERE[row.slot]}"
