"""E-mail addresses in one form, so that one address is one user."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

_SHAPE = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,253}")


def _normal(text: str) -> str:
    address = unicodedata.normalize("NFKC", text).strip().casefold()
    if not _SHAPE.fullmatch(address):
        raise ValueError
    return address


EmailAddress = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_normal)]
