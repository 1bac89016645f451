"""What a list is asked about: whose it has to be, where it was named, and what it may cost."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Self


@dataclass(frozen=True)
class ListQuestion:
    """`issuer` is the DER of the authority whose list it has to be; `addresses` are all that the
    certificate names; `of_authority` says whether the certificate is itself an authority's."""

    issuer: bytes
    addresses: tuple[str, ...]
    of_authority: bool
    now: datetime
    entries: int

    @property
    def identity(self) -> bytes:
        """The same for all questions that the same list answers, whenever they are asked."""
        told = self.issuer.hex(), self.addresses, self.of_authority
        return sha256(json.dumps(told).encode()).digest()

    def to_bytes(self) -> bytes:
        told = asdict(self) | {"issuer": self.issuer.hex(), "now": self.now.isoformat()}
        return json.dumps(told).encode() + b"\n"

    @classmethod
    def of(cls, head: bytes) -> Self:
        told = json.loads(head)
        return cls(
            bytes.fromhex(told["issuer"]),
            tuple(told["addresses"]),
            told["of_authority"],
            datetime.fromisoformat(told["now"]),
            told["entries"],
        )
