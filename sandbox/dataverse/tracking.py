"""Change tracking: a first read that ends with a delta link, and what changed since a link.

Rows come by version, then deletions. A read shows the rows as they were when its first page was
asked for, or leaves a row to the next delta if it has changed since.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sandbox.dataverse import queries, refusals
from sandbox.dataverse.calls import Call, Reply, json_reply
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.schema import Table

_ALLOWED = {"$select", "$deltatoken", "$count"}
Place = tuple[int, int]
"""Where a page ends: 0 for rows or 1 for deletions, and the version of the last."""


@dataclass(frozen=True)
class _Span:
    """A read of all changes after one version up to another, from a place on."""

    since: int
    until: int
    place: Place = (0, 0)


def is_meant(call: Call) -> bool:
    return "deltatoken=" in call.query or call.prefers("odata.track-changes")


def list_changes(call: Call, organisation: Organisation, table: Table) -> Reply:
    """One page; the last has the delta link."""
    options = _checked(call, organisation, table)
    span = _span(options.get("$deltatoken"), organisation)
    items = _items(call, organisation, table, span)
    size = min(call.page_size() or queries.PAGE_LIMIT, organisation.switches.page_size)
    delta = "/$delta" if span.since else ""
    answer: dict[str, Any] = {"@odata.context": f"{call.root}/$metadata#{table.set}{delta}"}
    answer["value"] = [item for _, item in items[:size]]
    if len(items) > size:
        token = _token(organisation, _Span(span.since, span.until, items[size - 1][0]))
        answer["@odata.nextLink"] = _link(call, table, options, token)
    else:
        token = _token(organisation, _Span(span.until, 0))
        answer["@odata.deltaLink"] = _link(call, table, options, token)
    reply = json_reply(answer)
    reply.headers.append(("Preference-Applied", "odata.track-changes"))
    return reply


def count_changes(call: Call, organisation: Organisation, table: Table) -> Reply:
    options = _checked(call, organisation, table)
    span = _span(options.get("$deltatoken"), organisation)
    count = len(_items(call, organisation, table, span))
    return Reply(200, [("Content-Type", "text/plain")], str(count).encode())


def _checked(call: Call, organisation: Organisation, table: Table) -> dict[str, str]:
    options = call.options
    for name in options:
        if name.startswith("$") and name not in _ALLOWED:
            raise refusals.not_with_tracking(name)
    if not table.change_tracking:
        raise refusals.not_tracked(table)
    missing = [name.lower() for name in organisation.switches.missing_privileges]
    if f"prvread{table.logical}:organization" in missing:
        raise refusals.privilege_missing(call.user, f"prvRead{table.logical}", table)
    return options


def _items(
    call: Call, organisation: Organisation, table: Table, span: _Span
) -> list[tuple[Place, dict[str, Any]]]:
    columns = queries.selected(table, call.options)
    found: list[tuple[Place, dict[str, Any]]] = [
        ((0, row.version), queries.shown(row, columns))
        for row in organisation.rows.all(table.set)
        if span.since < row.version <= span.until
    ]
    context = f"{call.root}/$metadata#{table.set}/$deletedEntity"
    gone = organisation.rows.deleted_since(table.set, span.since) if span.since else []
    found += [
        ((1, at), {"@odata.context": context, "id": row_id, "reason": "deleted"})
        for at, row_id in gone
        if at <= span.until
    ]
    return sorted((item for item in found if item[0] > span.place), key=lambda item: item[0])


def _link(call: Call, table: Table, options: dict[str, str], token: str) -> str:
    select = f"$select={quote(options['$select'], safe=',')}&" if "$select" in options else ""
    return f"{call.root}/{table.set}?{select}$deltatoken={quote(token, safe='')}"


def _token(organisation: Organisation, span: _Span) -> str:
    stamp = f"{span.since}!{span.until}!{span.place[0]}!{span.place[1]}"
    text = f"{stamp}!{organisation.rows.epoch}!{int(time.time())}"
    return f"{text}!{_seal(text)}"


def _span(token: str | None, organisation: Organisation) -> _Span:
    """What a token asks for; from the start without one. A token does not live for ever."""
    if token is None:
        return _Span(0, organisation.rows.version)
    text, _, seal = token.rpartition("!")
    if seal != _seal(text):
        raise refusals.bad_token()
    *numbers, epoch, issued = text.split("!")
    since, until, phase, version = map(int, numbers)
    too_old = time.time() - int(issued) > organisation.switches.delta_expiry_s
    if too_old or epoch != organisation.rows.epoch:
        raise refusals.version_expired()
    return _Span(since, until or organisation.rows.version, (phase, version))


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
