"""Why a row is as it is, in words that programs go by: they stay, sentences may change."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """A closed list; docs/guides/connect.md says what to do about each."""

    DUPLICATE = "duplicate"
    EMPTY = "empty"
    FAILED = "failed"
    GONE = "gone"
    KEY_REFUSED = "key-refused"
    KEY_TAKEN = "key-taken"
    NO_ACCESS = "no-access"
    NOT_CHOSEN = "not-chosen"
    NOT_RUN = "not-run"
    NOT_SHOWN = "not-shown"
    RACED = "raced"
    REFERENCE_MISSING = "reference-missing"
    REFUSED = "refused"
    REFUSED_BY_RULE = "refused-by-rule"
    ROW_DELETED = "row-deleted"
    SCHEMA = "schema"
    VALUE_REFUSED = "value-refused"
