"""What an answer means for a row or for the connection; pure, from documented codes and statuses.

Never from the words of a message: they are the customer's, too. A row is parked only for what lies
in the row; what lies in the connection never parks a row. An answer without the Web API's own error
body (a proxy's page) tells nothing but that it has to be tried again.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from services.sync.crm.dataverse import errors
from services.sync.crm.dataverse.errors import CrmError
from services.sync.crm.verdict import Meaning, RowForm, Verdict

_LIMITS = {0x80072321, 0x80072322, 0x80072326}
_KEY_THERE = {0x80060892, 0x80040237}
_NO_SEGMENT, _NO_ACCESS, _NOT_THERE = 0x8006088A, 0x80048306, 0x80040217
_ROW_REASONS = {
    0x80044331: ("a value is longer than the CRM's field, or out of its range", "value-refused"),
    0x80040265: ("a rule of the CRM refused the row", "refused-by-rule"),
    0x80040333: ("the CRM found a duplicate", "duplicate"),
    0x80060891: ("a row that this one refers to does not exist", "reference-missing"),
    _NOT_THERE: ("a row that this one refers to does not exist", "reference-missing"),
    _NO_ACCESS: ("the application user has no access to this row of the CRM", "no-access"),
}
_CONNECTION_REASONS = {
    0x80040220: "the application user lacks a privilege",
    0x80040225: "the application user is disabled",
    0x8004D24B: "the application user has no licence",
    _NO_SEGMENT: "the CRM does not know a mapped table",
}
# RFC 9110, sections 10.2.3 and 5.6.7; a negative number is read as no wait.
_SECONDS = re.compile("(-?)0*([0-9]+)")
_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_LONGEST_DATE = 40
_LONGEST_WAIT_S = 24 * 3600.0
_USUAL_WAIT_S = 30.0
_LATE = (408, 504)  # whoever gave up waiting is not whoever works at it


def of_row(
    status: int, headers: Mapping[str, str], body: bytes, now: datetime, form: RowForm = "new"
) -> Verdict:
    """The verdict of one row's part of a batch, which was sent in this form."""
    if status in (200, 201, 204):
        return Verdict(Meaning.OK)
    error = errors.read(body)
    if common := _of_connection(status, error, headers, now):
        return common
    if status == 404 and form != "new" and error.code in (_NOT_THERE, 0, None):
        return Verdict(Meaning.GONE, "the row is not in the CRM any more", code="row-deleted")
    if status == 412 or error.code in _KEY_THERE:
        return _of_conflict(error, form)
    known = _ROW_REASONS.get(error.code or -1)
    shown = _shown(status, error)
    if known is not None:
        reason, code = known
        return Verdict(Meaning.REJECTED, f"{reason}{shown}", detail=error.message, code=code)
    reason = f"the CRM refused the row{shown}"
    return Verdict(Meaning.DOUBTED, reason, detail=error.message, code="refused")


def _of_conflict(error: CrmError, form: RowForm) -> Verdict:
    if form == "known" and error.code in _KEY_THERE:
        return Verdict(Meaning.TAKEN, "another row of the CRM has this key", code="key-taken")
    reason = "another writer changed the row at the same time"
    return Verdict(Meaning.RACED, reason, code="raced")


def of_batch(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict | None:
    """The verdict of a whole $batch, or None where its parts tell."""
    multipart = headers.get("content-type", "").lower().startswith("multipart/mixed")
    if multipart and (status == 200 or 400 <= status < 500):
        return None
    return of_whole(status, headers, body, now)


def of_whole(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict:
    """The verdict of a call that was not accepted and tells nothing of single rows."""
    error = errors.read(body)
    if common := _of_connection(status, error, headers, now):
        return common
    shown = _shown(status, error)
    if status == 413 or 400 <= status < 500:
        return Verdict(
            Meaning.SPLIT,
            f"the CRM refused the batch{shown}",
            detail=error.message,
            code="refused",
        )
    return Verdict(Meaning.BACK_OFF, f"the CRM answered with status {status}")


def is_unknown_path(status: int, body: bytes) -> bool:
    """Whether the CRM says that there is nothing of this name."""
    return status == 404 and errors.read(body).code == _NO_SEGMENT


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


def _of_connection(
    status: int, error: CrmError, headers: Mapping[str, str], now: datetime
) -> Verdict | None:
    """What is not about a row: a wait, an outage, or the application user's rights."""
    wait_s = retry_after(headers, now)
    if status == 429 or error.code in _LIMITS or wait_s is not None:
        seconds = _USUAL_WAIT_S if wait_s is None else wait_s
        return Verdict(Meaning.WAIT, "the CRM asks us to wait", wait_s=seconds)
    if error.code in _CONNECTION_REASONS:
        return Verdict(Meaning.BROKEN, f"{_CONNECTION_REASONS[error.code]} ({error.label})")
    is_told = error.is_told or status == 413
    if not 400 <= status < 500 or status == 408 or not is_told:
        reason = f"the CRM answered with status {status}"
        return Verdict(Meaning.BACK_OFF, reason, is_unsure=not error.is_told or status in _LATE)
    if status in (401, 403) and error.code != _NO_ACCESS:
        reason = f"the CRM refuses this application user{_shown(status, error)}"
        return Verdict(Meaning.BROKEN, reason)
    return None


def _shown(status: int, error: CrmError) -> str:
    return f" ({error.label})" if error.label else f" (status {status})"
