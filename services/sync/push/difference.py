"""Which fields have to be sent: those whose keyed hash differs from the acknowledged one; pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
IN_FLIGHT = ""  # stands where a hash would: sent, but nobody knows whether it arrived


@dataclass(frozen=True)
class Difference:
    """`values` go out; `hashes` are remembered once the CRM has acknowledged them."""

    values: Mapping[str, Any]
    hashes: Mapping[str, str]

    @property
    def in_flight(self) -> dict[str, str]:
        return dict.fromkeys(self.hashes, IN_FLIGHT)


def difference(
    hash_key: bytes,
    record: UUID,
    key: str,
    values: Mapping[str, Any],
    acknowledged: Mapping[str, str],
    *,
    whole: bool = False,
) -> Difference:
    """Compare `values` (by their column names) with the hashes of what was acknowledged.

    An empty value that was never sent stays unsent: it must not clear what the CRM holds. With
    `whole` everything goes out as soon as anything does: the row may not be there any more.
    """
    every, changed, hashed = dict[str, str](), set[str](), _hashing(hash_key, record, key)
    for column, value in values.items():
        known = acknowledged.get(column)
        if value is None and known is None:
            continue
        every[column] = hashed(column, value)
        if every[column] != known:
            changed.add(column)
    out = every if whole and changed else {one: every[one] for one in every if one in changed}
    return Difference({column: values[column] for column in out}, out)


def _hashing(hash_key: bytes, record: UUID, key: str) -> Callable[[str, Any], str]:
    """Hashes of the record's values: of the JSON list of record, key, column and value."""
    begun = blake2b(f'["{record}",{_encode(key)},'.encode(), key=hash_key, digest_size=8)

    def hashed(column: str, value: Any) -> str:
        one = begun.copy()
        one.update(f"{_encode(column)},{_encode(value)}]".encode())
        return one.hexdigest()

    return hashed
