"""A revocation list as it is kept: when it holds, and its serial numbers in one sorted row."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

WIDTH = 21  # RFC 5280 allows 20 bytes of serial number; one more for those that do not keep to it


class ListRefused(Exception):
    """The list cannot be relied on; the text says why and holds nothing of it."""


@dataclass(frozen=True)
class RevocationList:
    """`serials` are numbers of WIDTH bytes, smallest first: looked up by halving, never walked."""

    issued_at: datetime
    expires_at: datetime
    serials: bytes = field(repr=False)

    def names(self, serial: int) -> bool:
        """Whether the certificate of this number has been revoked; ValueError for none."""
        wanted, low, high = packed(serial), 0, len(self.serials) // WIDTH
        while low < high:
            middle = (low + high) // 2
            found = self.serials[middle * WIDTH : (middle + 1) * WIDTH]
            if found == wanted:
                return True
            low, high = (middle + 1, high) if found < wanted else (low, middle)
        return False

    def to_bytes(self) -> bytes:
        head = {"issued": self.issued_at.isoformat(), "expires": self.expires_at.isoformat()}
        return json.dumps(head).encode() + b"\n" + self.serials

    @classmethod
    def of(cls, answer: bytes) -> Self:
        """From `to_bytes`, or from `refusal`: then it raises ListRefused."""
        head, _, serials = answer.partition(b"\n")
        told = json.loads(head)
        if "refused" in told:
            raise ListRefused(told["refused"])
        issued_at, expires_at = map(datetime.fromisoformat, (told["issued"], told["expires"]))
        return cls(issued_at, expires_at, serials)


def refusal(reason: str) -> bytes:
    return json.dumps({"refused": reason}).encode() + b"\n"


def packed(serial: int) -> bytes:
    """The number in WIDTH bytes; raises ValueError where no certificate may have it."""
    try:
        return serial.to_bytes(WIDTH, "big")
    except OverflowError:
        raise ValueError("no certificate may have this serial number") from None
