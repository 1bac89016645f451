"""Finds payment card numbers, so that none is ever stored: pure, and strict about look-alikes.

A card number (PAN) is 13 to 19 digits whose first digits name a card scheme in the length which
that scheme issues, and whose check digit is right (ISO/IEC 7812-1, Luhn). Digits may be written in
any script and split by blanks, dashes, dots, slashes or characters that nobody sees. Longer runs
of digits without a separator are serial numbers and pass.
"""

import re
import unicodedata
from collections.abc import Iterator

_SEPARATORS = r"[\s\-._/\u00ad\u200b-\u200f\u2010-\u2015\u2060\u2212\ufeff]{0,3}"
_SUSPECT = re.compile(rf"(?:\d{_SEPARATORS}){{12}}\d")
_RUN = re.compile(rf"\d(?:{_SEPARATORS}\d)*")
_GROUP = re.compile(r"\d+")

_SIXTEEN_TO_NINETEEN = frozenset(range(16, 20))
_SCHEMES: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = (
    (re.compile(r"4"), frozenset({13, 16, 18, 19})),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),  # Mastercard
    (re.compile(r"3[47]"), frozenset({15})),  # American Express
    (re.compile(r"6011|64[4-9]|65"), _SIXTEEN_TO_NINETEEN),  # Discover
    (re.compile(r"30[0-5]|3095|36|3[89]"), frozenset(range(14, 20))),  # Diners Club
    (re.compile(r"35(?:2[89]|[3-8])"), _SIXTEEN_TO_NINETEEN),  # JCB
    (re.compile(r"62|81"), _SIXTEEN_TO_NINETEEN),  # UnionPay
    (re.compile(r"5018|5020|5038|5893|6304|6759|676[1-3]"), frozenset(range(13, 20))),  # Maestro
    (re.compile(r"220[0-4]"), _SIXTEEN_TO_NINETEEN),  # Mir
)


def is_suspect(text: str) -> bool:
    """A fast look at a whole text: False means that it holds no card number."""
    return _SUSPECT.search(text) is not None


def contains_card_number(text: str) -> bool:
    """Whether the text holds a card number, alone or among other words."""
    if not is_suspect(text):
        return False
    return any(
        _is_card_number(candidate) for run in _RUN.finditer(text) for candidate in _split(run[0])
    )


def _split(run: str) -> Iterator[str]:
    """Every sequence of neighbouring digit groups with 13 to 19 digits, in ASCII."""
    groups = ["".join(map(_ascii_digit, group)) for group in _GROUP.findall(run)]
    for start in range(len(groups)):
        digits = ""
        for group in groups[start : start + 19]:
            digits += group
            if len(digits) > 19:
                break
            if len(digits) >= 13:
                yield digits


def _ascii_digit(char: str) -> str:
    return str(unicodedata.decimal(char))


def _is_card_number(digits: str) -> bool:
    return _names_scheme(digits) and passes_luhn(digits)


def _names_scheme(digits: str) -> bool:
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _SCHEMES)


def passes_luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1 annex B: double every second digit from the right."""
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
