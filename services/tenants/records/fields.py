"""Typed fields: what a value must look like; a message says what is expected, never the value.

A value is JSON: integer is a whole number, boolean is true or false, all others are strings (a
decimal keeps its digits that way). `null` clears a field.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple, get_args

from kit.problems import MAX_FAULTS
from services.tenants.records import payment_data

Kind = Literal[
    "text", "integer", "decimal", "boolean", "date", "timestamp", "email", "phone", "url"
]
Value = str | int | bool
KINDS: frozenset[str] = frozenset(get_args(Kind))
DEFAULT_MAX_LENGTH = 4000
MAX_KEY_LENGTH = 200

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-5][0-9])"
)
_WIDEST_OFFSET = timedelta(hours=15, minutes=59)  # what PostgreSQL takes
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,23})(?:\.[0-9]{1,12})?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_ATOM = r"[^\s@.<>\"(),:;\\\[\]\x00-\x1f]+"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})+")
_URL = re.compile(r"https?://[^\s/?#@\"<>\\]+(?:[/?#][^\s\"<>\\]*)?")
_PHONE = re.compile(r"(?:\+|\()?[0-9][0-9 ()./-]{2,38}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?")
_INTERNATIONAL = re.compile(r"\+(?:[^0-9]*[0-9]){7,15}[^0-9]*")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a module, as the tenant's module definition has it."""

    name: str
    kind: Kind
    required: bool = False
    max_length: int | None = None


class Fault(NamedTuple):
    """Something is wrong at `pointer` (JSON pointer from the fields object, or its parent)."""

    pointer: str
    message: str
    is_payment_data: bool = False


def check_fields(
    definition: Mapping[str, Field], values: Mapping[str, object], *, is_partial: bool
) -> list[Fault]:
    """The faults of `values`; a partial change may omit required fields, but not clear them.

    The search ends when there are more than a refusal names.
    """
    faults: list[Fault] = []
    for name, value in values.items():
        if len(faults) > MAX_FAULTS:
            return faults
        field = definition.get(name)
        fault = (
            Fault(_pointer(name), "no such field") if field is None else check_value(field, value)
        )
        if fault is not None:
            faults.append(fault)
    if not is_partial:
        faults += missing_fields(definition, values)
    return faults


def missing_fields(definition: Mapping[str, Field], values: Mapping[str, object]) -> list[Fault]:
    """A fault for each required field that has no entry in `values`."""
    return [
        Fault(f"/{name}", "is required")
        for name, field in definition.items()
        if field.required and name not in values
    ]


def check_value(field: Field, value: object) -> Fault | None:
    """The fault of one value, or None."""
    pointer = f"/{field.name}"
    if value is None:
        return Fault(pointer, "is required") if field.required else None
    message = _check_length(field, value) or _CHECKS[field.kind](value)
    if message is not None:
        return Fault(pointer, message)
    if _is_payment_data(field.kind, value):
        return payment_fault(pointer)
    return None


def check_key(key: object) -> Fault | None:
    """The fault of a record's external key, or None."""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH:
        return Fault("/key", f"must be a string of 1 to {MAX_KEY_LENGTH} characters")
    if _CONTROL.search(key) or key != key.strip():
        return Fault("/key", "must not hold control characters or start or end with a blank")
    return payment_fault("/key") if payment_data.contains_card_number(key) else None


def payment_fault(pointer: str) -> Fault:
    return Fault(pointer, "looks like a payment card number, which is never stored", True)


def from_text(field: Field, text: str) -> object:
    """The JSON value that a cell of a CSV file means; an empty cell is null.

    Text that is no value of the field's kind is returned as it is, so that the check names it.
    """
    if text == "":
        return None
    if field.kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if field.kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _pointer(name: str) -> str:
    """Where an unknown field stands; a name that no field could have may be data: not echoed."""
    is_name = _NAME.fullmatch(name) and not payment_data.is_suspect(name)
    return f"/{name}" if is_name else ""


def _is_payment_data(kind: Kind, value: object) -> bool:
    if isinstance(value, bool) or kind in ("date", "timestamp"):
        return False
    text = str(value)
    if kind == "phone" and _INTERNATIONAL.fullmatch(text):
        return False  # E.164: a plus and at most 15 digits is a telephone number
    return payment_data.contains_card_number(text)


def _check_length(field: Field, value: object) -> str | None:
    limit = field.max_length or DEFAULT_MAX_LENGTH
    is_long = isinstance(value, str) and len(value) > limit
    return f"must have at most {limit} characters" if is_long else None


def _check_text(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    if not value.strip():
        return "must not be empty (null clears a field)"
    return "must not hold control characters" if _CONTROL.search(value) else None


def _check_date(value: object) -> str | None:
    message = 'must be a date like "2026-12-31"'
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return message
    try:
        date.fromisoformat(value)
    except ValueError:
        return message
    return None


def _check_timestamp(value: object) -> str | None:
    message = 'must be a time with offset like "2026-12-31T23:59:59Z"'
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return message
    try:
        time = datetime.fromisoformat(value)
        time.astimezone(UTC)  # in the years 1 to 9999 there too
    except (ValueError, OverflowError):
        return message
    return message if abs(time.utcoffset() or timedelta()) > _WIDEST_OFFSET else None


def _check_url(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > 2000 or not _URL.fullmatch(value):
        return "must be an http or https address"
    return "must not hold control characters" if _CONTROL.search(value) else None


def _check_integer(value: object) -> str | None:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        return "must be a whole number of at most 64 bits"
    return None


def _check_decimal(value: object) -> str | None:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return 'must be a decimal number in a string, like "12.50"'
    return None


def _check_boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _check_email(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > 254 or not _EMAIL.fullmatch(value):
        return "must be an email address"
    return "must not hold control characters" if _CONTROL.search(value) else None


def _check_phone(value: object) -> str | None:
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        return "must be a telephone number (digits, blanks and + ( ) . / -)"
    return None


_CHECKS: Mapping[Kind, Callable[[object], str | None]] = {
    "text": _check_text,
    "integer": _check_integer,
    "decimal": _check_decimal,
    "boolean": _check_boolean,
    "date": _check_date,
    "timestamp": _check_timestamp,
    "email": _check_email,
    "phone": _check_phone,
    "url": _check_url,
}
