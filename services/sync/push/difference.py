"""Which fields have to be sent: those whose keyed hash differs from the acknowledged one; pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

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
    every, changed = dict[str, str](), set[str]()
    for column, value in values.items():
        known = acknowledged.get(column)
        if value is None and known is None:
            continue
        every[column] = _hash(hash_key, record, key, column, value)
        if every[column] != known:
            changed.add(column)
    out = (
        every
        if whole and changed
        else {column: every[column] for column in every if column in changed}
    )
    return Difference({column: values[column] for column in out}, out)


def _hash(hash_key: bytes, record: UUID, key: str, column: str, value: Any) -> str:
    text = json.dumps([str(record), key, column, value], sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), key=hash_key, digest_size=8).hexdigest()
