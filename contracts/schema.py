"""The base of request and response models: strict types, no unknown members, few faults, one form
of times."""

from collections.abc import Sized
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kit.problems import MAX_FAULTS

TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"


def _as_whole(given: Any) -> Any:
    return int(given) if isinstance(given, float) and given.is_integer() else given


WHOLE = BeforeValidator(_as_whole)
"""Stands at every whole number in a request: JSON knows one kind of numbers, and 2.0 is 2."""


class Refused(ValueError):
    """What a validator refuses; `public` says why to whoever has sent it, without the value."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public


class Strict(BaseModel):
    """Refuses unknown members and silent conversions; never prints its input in errors."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_few_unknown(cls, given: Any) -> Any:
        """Of many unknown members only those that a refusal names: each costs a fault of its own.

        At least one stays, so what has to be refused is.
        """
        known = cls.model_fields
        if not isinstance(given, dict) or len(given) <= len(known) + MAX_FAULTS:
            return given
        unknown = set(islice((name for name in given if name not in known), MAX_FAULTS + 1))
        return {name: value for name, value in given.items() if name in known or name in unknown}


def at_most(limit: int) -> BeforeValidator:
    """For mappings: counted before any entry is looked at (lists are so by max_length)."""

    def check(given: Any) -> Any:
        if isinstance(given, Sized) and len(given) > limit:
            raise PydanticCustomError(
                "too_many", "should have at most {limit} entries", {"limit": limit}
            )
        return given

    return BeforeValidator(check)


def time_text(value: datetime) -> str:
    """RFC 3339 in UTC with all six digits: such texts sort like the times."""
    if value.tzinfo is None:
        raise Refused("a time without its offset")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


Time = Annotated[
    datetime,
    Field(strict=False),
    PlainSerializer(time_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]
"""The type of every time in an answer; a rule test looks for others."""
