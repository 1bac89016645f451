"""The base of request and response models: strict types, no unknown members."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Refuses unknown members and silent conversions; never prints its input in errors."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )
