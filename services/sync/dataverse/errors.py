"""Error bodies of the Web API in one shape: codes come as hexadecimal, signed decimal or empty."""

from dataclasses import dataclass, field

from kit import strict_json

_MESSAGE_LENGTH = 500


@dataclass(frozen=True)
class CrmError:
    """`code` is the unsigned 32-bit number or None; `message` is the CRM's own text."""

    code: int | None = None
    message: str = field(default="", repr=False)

    @property
    def label(self) -> str:
        """The code as the documentation writes it, or an empty text."""
        return "" if self.code is None else f"0x{self.code:08x}" if self.code else "0x0"


def read(body: bytes) -> CrmError:
    """The error of a reply; an empty one where the body holds none (a proxy's HTML page)."""
    try:
        document = strict_json.loads(body)
        error = document["error"]
        code, message = error.get("code", ""), error.get("message", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return CrmError()
    return CrmError(number(str(code)), str(message)[:_MESSAGE_LENGTH])


def number(code: str) -> int | None:
    """0x80072322 and -2147015902 are one code; None where the text is not a number."""
    try:
        return int(code, 16 if code.lower().startswith("0x") else 10) & 0xFFFFFFFF
    except ValueError:
        return None
