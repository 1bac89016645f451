"""Requests and answers of the admin API."""

from typing import Annotated

from pydantic import FailFast, Field

from contracts.schema import Strict, Time
from gateway.ranges import MAX_RANGES, PATTERN


class AllowlistIn(Strict):
    """The whole new list: exact networks in CIDR form, IPv4 or IPv6."""

    ranges: Annotated[
        list[Annotated[str, Field(max_length=64, json_schema_extra={"pattern": PATTERN})]],
        Field(min_length=1, max_length=MAX_RANGES),
        FailFast(),
    ]


class AllowlistOut(Strict):
    """`ranges` in canonical form; `live`: the edge has confirmed that it enforces them."""

    ranges: list[str]
    changed_at: Time
    live: bool | None = None
