"""Positions in a tenant's journal: a reader that follows them loses nothing and repeats nothing.

A position is a pg_snapshot, not a sequence number: transactions commit in another order than they
take numbers, so `seq > last` loses what commits late. The rows after a position are those that
its snapshot could not see and that the present one can.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import InvalidTextRepresentationError, Record

from kit import base64url
from kit.problems import Problem
from tenantdb.session import TenantSession, array

_NOW = """SELECT chain::text AS chain, pg_current_snapshot()::text AS snapshot
    FROM public.tenant_identity"""
_IS_FUTURE = """SELECT pg_snapshot_xmax($1::text::pg_snapshot)
    > pg_snapshot_xmax(pg_current_snapshot())"""
_DIFFERENCE = """txid >= pg_snapshot_xmin($1::text::pg_snapshot)
    AND NOT pg_visible_in_snapshot(txid, $1::text::pg_snapshot)"""
# `seq + 0` on purpose: a plain min(seq) would walk the whole journal from its beginning.
_FLOOR = f"SELECT min(seq + 0) - 1 FROM public.journal WHERE {_DIFFERENCE}"  # noqa: S608 - constant text
_IMAGE = """CASE WHEN $6::text IS NULL OR image IS NULL THEN image
    ELSE (SELECT jsonb_object_agg(m, image -> m) FROM unnest($6::text::text[]) AS m) END"""
_PAGE = f"""SELECT seq, at, tab, op, pk::text AS pk, ({_IMAGE})::text AS image, actor
    FROM public.journal
    WHERE {_DIFFERENCE} AND pg_visible_in_snapshot(txid, $2::text::pg_snapshot)
        AND seq > $3 AND ($4::text IS NULL OR tab = $4)
    ORDER BY seq LIMIT $5"""  # noqa: S608 - constant text
_HAS_CHANGED = f"""SELECT EXISTS (SELECT FROM public.journal WHERE {_DIFFERENCE}
    AND tab = $2 AND op <> ALL ($4::text::text[])
    AND (op = 'T' OR pk ->> 0 = $3))"""  # noqa: S608 - constant text

_SNAPSHOT = r"[0-9]{1,19}:[0-9]{1,19}:[0-9,]*"
_FORM = re.compile(
    rf"1\|(?P<chain>[0-9a-f-]{{36}})\|(?P<seen>{_SNAPSHOT})"
    rf"\|(?P<upto>({_SNAPSHOT})?)\|(?P<seq>[0-9]{{1,18}})"
)


class ChainChanged(Problem, status=409, slug="chain-changed"):
    """The position belongs to another history

    The tenant's database was restored or moved. Start over without a position.
    """


class PositionMalformed(Problem, status=422, slug="position-malformed"):
    """The position is not one of ours

    Send back a position exactly as it was received, or none to start over.
    """


@dataclass(frozen=True)
class JournalChange:
    """One journal row: `op` is I, U, D or T; `image` is the row after it (D: before it)."""

    seq: int
    at: datetime
    table: str
    op: str
    pk: list[Any] | None
    image: dict[str, Any] | None
    actor: str | None


@dataclass(frozen=True)
class JournalPage:
    """Changes in the order of `seq`; ask again with `position`, at once when there is `more`."""

    changes: list[JournalChange]
    position: str
    more: bool


@dataclass(frozen=True)
class _Position:
    """Everything visible in `seen` is done, and of what `upto` sees every row up to `seq`."""

    chain: str
    seen: str
    upto: str = ""
    seq: int = 0

    def text(self) -> str:
        return base64url.encode(f"1|{self.chain}|{self.seen}|{self.upto}|{self.seq}".encode())


async def position_now(session: TenantSession) -> str:
    """The position of this read session's moment."""
    row = await _here(session)
    return _Position(row["chain"], row["snapshot"]).text()


async def changes(
    session: TenantSession,
    after: str,
    *,
    limit: int,
    table: str | None = None,
    members: Sequence[str] | None = None,
) -> JournalPage:
    """The next changes after a position, of one table or all.

    With `members`, only these members of the images leave the database.
    Raises ChainChanged after a restore or move, PositionMalformed for a foreign text.
    """
    here, position = await _here(session), parse(after)
    if position.chain != here["chain"]:
        raise ChainChanged
    try:
        if await session.fetchval(_IS_FUTURE, position.upto or position.seen):
            raise ChainChanged
        upto = position.upto or here["snapshot"]
        floor = position.seq if position.upto else await session.fetchval(_FLOOR, position.seen)
        only = None if members is None else array(members)
        found = [position.seen, upto, floor, table, limit + 1, only]
        rows = [] if floor is None else await session.fetch(_PAGE, *found)
    except InvalidTextRepresentationError:
        raise PositionMalformed from None
    page = [_change(row) for row in rows[:limit]]
    if len(rows) > limit:
        onward = _Position(position.chain, position.seen, upto, page[-1].seq)
        return JournalPage(page, onward.text(), more=True)
    # Of a difference that was paged, the end is its own upper snapshot, not the present one.
    is_old = bool(position.upto) and upto != here["snapshot"]
    return JournalPage(page, _Position(position.chain, upto).text(), more=is_old)


async def has_changed(
    session: TenantSession, after: str, *, table: str, first: str, but: Sequence[str] = ()
) -> bool:
    """Whether rows of a table whose primary key begins with `first` changed since a position.

    Changes with an op that is in `but` do not count. For a position of this chain: `changes`
    refuses others.
    """
    found = [parse(after).seen, table, first, array(but)]
    return bool(await session.fetchval(_HAS_CHANGED, *found))


def parse(text: str) -> _Position:
    """Read a position; PositionMalformed where it is none."""
    try:
        match = _FORM.fullmatch(base64url.decode(text).decode("ascii"))
    except ValueError:
        match = None
    if match is None:
        raise PositionMalformed
    return _Position(match["chain"], match["seen"], match["upto"], int(match["seq"]))


async def _here(session: TenantSession) -> Record:
    """Chain and snapshot; of a read session only, since a writer's snapshot hides itself."""
    if session.mode != "read":
        raise ValueError("positions belong to read sessions")
    row = await session.fetchrow(_NOW)
    assert row is not None
    return row


def _change(row: Record) -> JournalChange:
    pk, image = row["pk"], row["image"]
    return JournalChange(
        row["seq"],
        row["at"],
        row["tab"],
        row["op"],
        None if pk is None else json.loads(pk),
        None if image is None else json.loads(image),
        row["actor"],
    )
