"""What an answer means for a row or for the connection; pure, from documented codes and statuses.

A row is parked only for what lies in the row; what lies in the connection never parks a row.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from services.sync.crm.dataverse import errors
from services.sync.crm.outcome import Outcome, Verdict

_LIMITS = {0x80072321, 0x80072322, 0x80072326}
_RACES = {0x80060892, 0x80040237}
_PRIVILEGE, _NO_SEGMENT = 0x80040220, 0x8006088A
_REASONS = {
    0x80044331: "a value is longer than the CRM's field",
    0x80040265: "a rule of the CRM refused the row",
    0x80040333: "the CRM found a duplicate",
    0x80060891: "a row that this one refers to does not exist",
    0x80040217: "a row that this one refers to does not exist",
}
_UNKNOWN_FIELD = re.compile(
    "could not find a property named|invalid property|undeclared property", re.IGNORECASE
)
# RFC 9110, sections 10.2.3 and 5.6.7; a negative number is read as no wait.
_SECONDS = re.compile("(-?)0*([0-9]+)")
_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_LONGEST_DATE = 40
_LONGEST_WAIT_S = 24 * 3600.0
_USUAL_WAIT_S = 30.0


def of_row(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Outcome:
    """The outcome of one upsert of a batch."""
    if status in (200, 201, 204):
        return Outcome(Verdict.OK)
    error = errors.read(body)
    if common := _shared(status, error, headers, now):
        return common
    if status == 412 or error.code in _RACES:
        return Outcome(Verdict.BACK_OFF, "another writer changed the row at the same time")
    reason = _REASONS.get(error.code or -1, "the CRM refused the row")
    code = f" ({error.label})" if error.label else f" (status {status})"
    return Outcome(Verdict.REJECTED, reason + code, detail=error.message)


def of_batch(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Outcome | None:
    """The outcome of a whole $batch, or None where its parts tell."""
    multipart = headers.get("content-type", "").lower().startswith("multipart/mixed")
    if multipart and (status == 200 or 400 <= status < 500):
        return None
    error = errors.read(body)
    if common := _shared(status, error, headers, now):
        return common
    if status in (400, 413):
        return Outcome(Verdict.SPLIT, f"the CRM refused the batch (status {status})")
    if status in (401, 403):
        return Outcome(Verdict.BROKEN, f"the CRM refuses this application user (status {status})")
    if status == 404:
        return Outcome(Verdict.BROKEN, "the environment does not offer the Dataverse Web API")
    return Outcome(Verdict.BACK_OFF, f"the CRM answered with status {status}")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by Retry-After, bounded by one day; None where it says nothing of HTTP."""
    text = headers.get("retry-after", "").strip()
    if found := _SECONDS.fullmatch(text):
        sign, digits = found.groups()
        # Six digits are more than a day already, and a number of any length is never made.
        return 0.0 if sign else min(float(digits[:6]), _LONGEST_WAIT_S)
    moment = _moment(text)
    if moment is None:
        return None
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_WAIT_S)


def _moment(text: str) -> datetime | None:
    """A date in one of the three forms that HTTP has for it; each of them is in GMT."""
    if len(text) > _LONGEST_DATE or not text.isascii():
        return None
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _shared(
    status: int, error: errors.CrmError, headers: Mapping[str, str], now: datetime
) -> Outcome | None:
    wait_s = retry_after(headers, now)
    if status == 429 or error.code in _LIMITS or (status == 503 and wait_s is not None):
        return Outcome(
            Verdict.WAIT,
            "the CRM asks us to wait",
            wait_s=_USUAL_WAIT_S if wait_s is None else wait_s,
        )
    if status >= 500 or status == 408:
        return Outcome(Verdict.BACK_OFF, f"the CRM answered with status {status}")
    if error.code == _PRIVILEGE:
        return Outcome(Verdict.BROKEN, "the application user lacks a privilege (0x80040220)")
    if error.code == _NO_SEGMENT:
        return Outcome(Verdict.BROKEN, "the CRM does not know a mapped table (0x8006088a)")
    if status == 400 and _UNKNOWN_FIELD.search(error.message):
        return Outcome(Verdict.BROKEN, "the CRM does not know a mapped field")
    return None
