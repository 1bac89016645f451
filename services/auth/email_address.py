"""E-mail addresses in one form, so that one address is one user."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.schema import Refused

_WORDS = r"[^@\s\x00-\x1f\x7f]"
_SHAPE = re.compile(rf"{_WORDS}{{1,64}}@{_WORDS}{{1,253}}")
_DESCRIBED = {"pattern": rf"^\s*{_SHAPE.pattern}\s*$"}


def _normal(text: str) -> str:
    address = unicodedata.normalize("NFKC", text).strip().casefold()
    if not _SHAPE.fullmatch(address):
        raise Refused("is not an e-mail address")
    return address


EmailAddress = Annotated[
    str,
    Field(min_length=3, max_length=254, json_schema_extra=_DESCRIBED),
    AfterValidator(_normal),
]
