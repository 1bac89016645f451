"""The base of request and response models: strict types, no unknown members, one form of times."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"


class Strict(BaseModel):
    """Refuses unknown members and silent conversions; never prints its input in errors."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )


def time_text(value: datetime) -> str:
    """RFC 3339 in UTC with all six digits: such texts sort like the times."""
    if value.tzinfo is None:
        raise ValueError("a time without its offset")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


Time = Annotated[
    datetime,
    Field(strict=False),
    PlainSerializer(time_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]
"""The type of every time in an answer; a rule test looks for others."""
