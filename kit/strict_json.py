"""Strict JSON (RFC 8259, I-JSON): what two parsers could read differently is refused."""

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
# What only an escape can bring in: NUL, and halves of a surrogate pair without the other half.
_HIGH, _LOW = r"[89abAB][0-9a-fA-F]{2}", r"[c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(
    rf"\\u[dD](?:{_HIGH}(?!\\u[dD]{_LOW})|(?<!\\u[dD][89abAB][0-9a-fA-F]{{2}}\\u[dD]){_LOW})"
)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b'[]{}"'))


class StrictJsonError(ValueError):
    """The text is not strict JSON; `reason` says what is wrong, never quoting the input."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason if offset is None else f"{reason} (at character {offset})")
        self.reason, self.offset = reason, offset


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Parse UTF-8 JSON bytes.

    Refused: a BOM, NaN and Infinity, numbers that overflow, lone surrogates, NUL, duplicate keys,
    nesting deeper than `max_depth`. Raises StrictJsonError.
    """
    text = _decode(data)
    if b"\\" in data:
        _check_escapes(text)
    _check_depth(data, max_depth)
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise StrictJsonError("not well-formed JSON", error.pos) from None
    except RecursionError:
        raise StrictJsonError(_too_deep(max_depth)) from None
    except ValueError as error:
        if isinstance(error, StrictJsonError):
            raise
        raise StrictJsonError("a number is out of range") from None


def _decode(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise StrictJsonError("starts with a byte order mark", 0)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StrictJsonError("not UTF-8", error.start) from None
    if "\x00" in text:
        raise StrictJsonError("contains NUL", text.index("\x00"))
    return text


def _check_escapes(text: str) -> None:
    """Look at the text, not at the parsed values: keys are seen like values, and it costs less."""
    text = text.replace("\\\\", "--")
    if "\\u0000" in text:
        raise StrictJsonError("contains NUL")
    if _LONE_SURROGATE.search(text):
        raise StrictJsonError("contains a lone surrogate")


def _check_depth(data: bytes, max_depth: int) -> None:
    """Take the innermost pairs of brackets away, `max_depth` times: what then has a pair is deeper.

    Built of whole-text operations on purpose: a look at each character costs more than parsing.
    """
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    if b"\\" in data:  # an escaped quote ends no string
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = data.translate(_BRACKETS, _NO_BRACKET).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])  # what stands outside of strings
    for _ in range(max_depth):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if b"[]" in brackets or brackets.count(b"[") > max_depth:
        raise StrictJsonError(_too_deep(max_depth))


def _too_deep(max_depth: int) -> str:
    return f"nested deeper than {max_depth}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StrictJsonError("an object has the same key twice")
    return result


def _constant(_name: str) -> NoReturn:
    raise StrictJsonError("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise StrictJsonError("a number is out of range")
    return number
