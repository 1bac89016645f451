"""Feeds of changed records: pages by journal position, each record once, as it is now.

Without a position, or with one of another chain, a feed starts over: it walks all present records
by id and then goes on from the position taken at the start, so nothing is missed meanwhile.
So does a reader whose own view has changed: no notice has to arrive for that. `reset` marks the
first page of such a walk.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from tenantdb import TenantSession, journal

_TABLE = "record"
_MEMBERS = ("module", "key", "version")
_WALK = re.compile(r"(?P<position>[A-Za-z0-9_-]+)\.(?P<last>[0-9a-f-]{36})")


class Source(Protocol):
    """What a reader may see of the records, cut to size inside the database.

    `blank` is what the row of a vanished record has beside its head.
    """

    @property
    def blank(self) -> Mapping[str, object]: ...
    async def modules(self) -> frozenset[str]: ...
    async def is_another(self, after: str) -> bool:
        """Whether what the reader may see was changed since a position."""

    async def present(self, ids: Sequence[UUID]) -> Mapping[UUID, str]: ...
    async def walk(self, after: UUID | None, limit: int) -> Mapping[UUID, str]: ...


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`rows` are JSON objects; ask again with `position`, at once where there is `more`."""

    position: str
    more: bool
    reset: bool
    rows: list[str]

    def body(self) -> bytes:
        head = {"position": self.position, "more": self.more, "reset": self.reset}
        return f'{json.dumps(head)[:-1]}, "rows": [{",".join(self.rows)}]}}'.encode()


async def read(session: TenantSession, source: Source, after: str | None, limit: int) -> FeedPage:
    """The next page after a position. Raises journal.PositionMalformed."""
    if after is None:
        return await _walk(session, source, None, None, limit)
    walking = _WALK.fullmatch(after)
    if walking is not None:
        position, last = walking["position"], _uuid(walking["last"])
        journal.parse(position)
        return await _walk(session, source, position, last, limit)
    return await _follow(session, source, after, limit)


async def _walk(
    session: TenantSession, source: Source, position: str | None, last: UUID | None, limit: int
) -> FeedPage:
    """A page of present records; `position` is where the feed goes on after the walk."""
    is_first = position is None
    goes_on = await journal.position_now(session) if position is None else position
    rows = await source.walk(last, limit + 1)
    shown = list(rows)[:limit]
    if len(rows) <= limit:
        return FeedPage(goes_on, True, is_first, [rows[one] for one in shown])
    return FeedPage(f"{goes_on}.{shown[-1]}", True, is_first, [rows[one] for one in shown])


async def _follow(session: TenantSession, source: Source, after: str, limit: int) -> FeedPage:
    """A page of the journal; of a record that changed often, its last change decides."""
    try:
        page = await journal.changes(session, after, limit=limit, table=_TABLE, members=_MEMBERS)
    except journal.ChainChanged:
        return await _walk(session, source, None, None, limit)
    if any(change.op == "T" for change in page.changes) or await source.is_another(after):
        return await _walk(session, source, None, None, limit)
    latest = {UUID(change.pk[0]): change for change in page.changes if change.pk}
    present = await source.present(list(latest))
    seen = await source.modules()
    rows = [
        present[record] if record in present else _deleted(record, change.image or {}, source.blank)
        for record, change in latest.items()
        if record in present or (change.image or {}).get("module") in seen
    ]
    return FeedPage(page.position, page.more, False, rows)


def _deleted(record: UUID, image: Mapping[str, object], blank: Mapping[str, object]) -> str:
    """The row of a record that has vanished, with what it was last called."""
    head = {"id": str(record), "op": "delete"} | {name: image[name] for name in _MEMBERS}
    return json.dumps(head | dict(blank))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise journal.PositionMalformed from None
