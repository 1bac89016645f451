"""Strict JSON (RFC 8259, I-JSON): what two parsers could read differently is refused."""

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    _check_depth(text, max_depth)
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise StrictJsonError("not well-formed JSON", error.pos) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, StrictJsonError):
            raise
        raise StrictJsonError("a number is out of range") from None
    if "\\u" in text:
        _check_strings(value)
    return value


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


def _check_depth(text: str, max_depth: int) -> None:
    """Count brackets outside of strings, so that the parser never recurses too deeply."""
    depth, inside, escaped = 0, False, False
    if text.count("[") + text.count("{") <= max_depth:
        return
    for offset, char in enumerate(text):
        if inside:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            if depth > max_depth:
                raise StrictJsonError(f"nested deeper than {max_depth}", offset)
        elif char in "]}":
            depth -= 1


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


def _check_strings(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise StrictJsonError("contains NUL")
        if _SURROGATE.search(value):
            raise StrictJsonError("contains a lone surrogate")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_strings(key)
            _check_strings(item)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item)
