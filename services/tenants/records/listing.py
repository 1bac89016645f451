"""Lists of records: visible ones only, filtered, sorted, page by page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.access import Person
from contracts.credentials import Actor
from services.tenants.records import filters, paging, refusals, single, visibility
from services.tenants.records.filters import Filter, FilterWrong
from services.tenants.records.modules import Module
from services.tenants.records.paging import Cursor, Sort
from services.tenants.records.placeholders import Binds
from services.tenants.records.store import records as store
from tenantdb import TenantSession


@dataclass(frozen=True, slots=True)
class Query:
    """What a caller asks for, as it stands in the address."""

    filters: Sequence[str]
    sort: str | None
    cursor: str | None
    limit: int


async def page(session: TenantSession, actor: Actor, name: str, query: Query) -> bytes:
    """The JSON document of a page."""
    module = await single.load_module(session, name)
    try:
        conditions, sorts, place = _parse(module, query)
    except FilterWrong as wrong:
        refusals.refuse([wrong.fault])
    binds = Binds(name)
    expressions = [sort.column.expression(binds) for sort in sorts]
    where = [condition.where(binds) for condition in conditions]
    if place is not None:
        where.append(place.where(sorts, expressions, binds))
    where.append(visibility.where(actor.grants[f"{name}.view"], Person(actor.user), binds))
    rows = await store.page(
        session,
        where,
        [sort.order(expression) for sort, expression in zip(sorts, expressions, strict=True)],
        [(sort.column, expression) for sort, expression in zip(sorts, expressions, strict=True)],
        binds,
        query.limit + 1,
    )
    shown, cursor = rows[: query.limit], None
    if len(rows) > query.limit:
        last = shown[-1]
        cursor = paging.to_cursor(_named(module, query), Cursor(last.keys, str(last.id)))
    body = ",".join(record.json for record in shown)
    return f'{{"records": [{body}], "next_cursor": {json.dumps(cursor)}}}'.encode()


def _parse(module: Module, query: Query) -> tuple[list[Filter], list[Sort], Cursor | None]:
    conditions = filters.parse(module, query.filters)
    sorts = paging.parse_sort(module, query.sort)
    if query.cursor is None:
        return conditions, sorts, None
    return conditions, sorts, paging.from_cursor(_named(module, query), sorts, query.cursor)


def _named(module: Module, query: Query) -> str:
    return paging.fingerprint(module.name, query.filters, query.sort)
