"""Text that people see, like names: what it shows is all that it holds, in whatever script.

Control, bidirectional, invisible, private-use and unassigned characters are refused. The two
joiners stay where a script needs them (RFC 5892, appendix A.1 and A.2).
"""

import unicodedata
from typing import Annotated

from idna.core import valid_contextj
from pydantic import AfterValidator, Field

FORMAT = "display-text"
_JOINERS = "\u200c\u200d"
# Cc control, Cf format (bidirectional ones too), Cs surrogates, Co private use, Cn unassigned
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Default_Ignorable_Code_Point of other categories, and the blank of Braille: they show nothing
_INVISIBLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)


class DisplayTextRefused(ValueError):
    """The text cannot be shown as it is; `public` says why, without it."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public


def fault(text: str) -> str | None:
    """What is wrong with the text, or None."""
    if text != text.strip():
        return "must not start or end with a blank"
    if any(_is_refused(text, at) for at in range(len(text))):
        return "must not hold control, bidirectional, invisible or private-use characters"
    return None


def _is_refused(text: str, at: int) -> bool:
    character = text[at]
    if character in _JOINERS:
        return not _joins(text, at)
    return unicodedata.category(character) in _REFUSED or character in _INVISIBLE


def _joins(text: str, at: int) -> bool:
    try:
        return valid_contextj(text, at)
    except ValueError:  # a neighbour that Unicode does not know
        return False


def _check(text: str) -> str:
    message = fault(text)
    if message is not None:
        raise DisplayTextRefused(message)
    return text


DisplayText = Annotated[str, AfterValidator(_check), Field(json_schema_extra={"format": FORMAT})]
"""Give it its lengths: `Annotated[DisplayText, Field(min_length=1, max_length=200)]`."""
