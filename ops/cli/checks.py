"""What can be told before anything is done, by the code of the service that would refuse it."""

from collections.abc import Sequence
from uuid import UUID

import typer
from pydantic import TypeAdapter, ValidationError

from gateway.ranges import MAX_RANGES, RangesRefused, checked
from ops.cli.ending import REFUSED, fail
from services.auth.email_address import EmailAddress


def ranges_or_fail(texts: Sequence[str]) -> list[str]:
    """The ranges in canonical form."""
    try:
        found = list(checked(texts))
    except RangesRefused as refused:
        place, why = next(iter(refused.reasons.items()))
        fail(f"{texts[place]} {why}: nothing was done", REFUSED)
    if len(texts) > MAX_RANGES:
        fail(f"a list has at most {MAX_RANGES} ranges: nothing was done", REFUSED)
    return found


def email_or_fail(text: str) -> str:
    """The address in the form that names one user."""
    try:
        address: str = TypeAdapter(EmailAddress).validate_python(text)
    except ValidationError:
        fail(f"{text} is not an e-mail address: nothing was done", REFUSED)
    return address


def global_or_id(text: str) -> str:
    """For an argument: `global`, or a tenant's id."""
    return text if text == "global" else id_(text)


def id_(text: str) -> str:
    """For an argument: an id in its usual form, so that it can stand in a path."""
    try:
        return str(UUID(text))
    except ValueError:
        raise typer.BadParameter(f"{text} is not an id") from None


def optional_id(text: str) -> str:
    """For an option that may be left out."""
    return id_(text) if text else ""
