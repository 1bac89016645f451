"""Error bodies of the Web API in one shape: codes come as hexadecimal, signed decimal or empty."""

import re
from dataclasses import dataclass, field
from typing import Any

from kit import strict_json

_MESSAGE_LENGTH = 500
_MOST_BYTES = 64 * 1024  # an error of the Web API has a few hundred; with a stack trace some 10,000
_HEXADECIMAL = re.compile("0[xX][0-9a-fA-F]{1,8}")
_DECIMAL = re.compile("-?[0-9]{1,10}")


@dataclass(frozen=True)
class CrmError:
    """`code` is the unsigned 32-bit number or None; `message` is the CRM's own text.

    `is_told` where the body had the form of the Web API's errors: the CRM itself has answered.
    """

    code: int | None = None
    message: str = field(default="", repr=False)
    is_told: bool = False

    @property
    def label(self) -> str:
        """The code as the documentation writes it, or an empty text."""
        return "" if self.code is None else f"0x{self.code:08x}" if self.code else "0x0"


def read(body: bytes) -> CrmError:
    """The error of a reply; an empty one where the body holds none (a proxy's HTML page)."""
    told = _object(_document(body)).get("error")
    error = _object(told)
    code, message = error.get("code"), error.get("message")
    if isinstance(code, int):
        code = str(code)
    return CrmError(
        number(code) if isinstance(code, str) else None,
        message[:_MESSAGE_LENGTH] if isinstance(message, str) else "",
        isinstance(told, dict) and isinstance(code, str) and isinstance(message, str),
    )


def number(code: str) -> int | None:
    """0x80072322 and -2147015902 are one code; None where the text is not a number."""
    if _HEXADECIMAL.fullmatch(code):
        return int(code, 16)
    return int(code) & 0xFFFFFFFF if _DECIMAL.fullmatch(code) else None


def _document(body: bytes) -> Any:
    if len(body) > _MOST_BYTES:
        return None
    try:
        return strict_json.loads(body)
    except ValueError:
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
