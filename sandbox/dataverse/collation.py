"""When Dataverse's database takes two texts for the same: Latin1_General_CI_AI, as far as it shows.

SQL Server's collation of that name decides in unique indexes (alternate keys), in `eq` and in `In`.
Simulated: case, accents, width, kana and blanks at the end do not count. Assumed, from the weights
of Windows' sorting tables: a letter with a stroke is its letter (ø o, đ d, ł l, ħ h), ß is ss, a
ligature is its letters (æ ae, œ oe, ﬁ fi), a raised digit is a digit, combining marks and
characters without a shape (zero width, soft hyphen, controls) count for nothing. Not simulated:
this collation gives characters beyond U+FFFF no weight; two emoji are equal there, not here.
"""

import unicodedata

_STROKES = str.maketrans(
    {
        **dict(zip("øØđĐłŁħĦŧŦɨƗıŋŊðÐ", "oOdDlLhHtTiIinNdD", strict=True)),
        "æ": "ae",
        "Æ": "ae",
        "œ": "oe",
        "Œ": "oe",
        "þ": "th",
        "Þ": "th",
    }
)
_WEIGHTLESS = {"Mn", "Me", "Cf", "Cc"}
_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


def folded(text: str) -> str:
    """Two texts are equal to the database if and only if this is the same for both."""
    if text.isascii() and text.isprintable():
        return text.lower().rstrip(" ")
    letters = unicodedata.normalize("NFKD", text.translate(_STROKES)).casefold()
    letters = unicodedata.normalize("NFKD", letters).translate(_KATAKANA_TO_HIRAGANA)
    kept = (c for c in letters if unicodedata.category(c) not in _WEIGHTLESS)
    return "".join(kept).translate(_STROKES).rstrip(" ")
