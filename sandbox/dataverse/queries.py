"""GET of one row or of a page of rows; a query option that is not simulated is refused."""

import hashlib
from typing import Any
from urllib.parse import quote, unquote

from sandbox.dataverse import refusals
from sandbox.dataverse.calls import Call, Reply, json_reply, whole_number
from sandbox.dataverse.columns import Column
from sandbox.dataverse.filters import any_of, read_filter
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.refusals import Refusal
from sandbox.dataverse.rows import Row
from sandbox.dataverse.schema import Table
from sandbox.dataverse.users import check_privilege

_LIST_OPTIONS = {"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken"}
PAGE_LIMIT = 5000
_VERSION = "@Microsoft.Dynamics.CRM.globalmetadataversion"


def read_row(call: Call, organisation: Organisation, table: Table, row: Row) -> Reply:
    check_privilege(organisation.switches, call.user, "Read", table)
    options = _options(call, {"$select"})
    if call.headers.get("if-none-match") == row.etag:
        return Reply(304)
    columns = selected(table, options)
    context = {"@odata.context": f"{call.root}/$metadata#{table.set}/$entity"}
    reply = json_reply({**context, **shown(row, columns)})
    reply.headers.append(("ETag", row.etag))
    return reply


def read_column(call: Call, organisation: Organisation, table: Table, row: Row, name: str) -> Reply:
    check_privilege(organisation.switches, call.user, "Read", table)
    column = table.properties.get(name)
    if column is None:
        raise refusals.unknown_segment(name)
    value = row.values.get(column.name)
    return Reply(204) if value is None else json_reply({"value": value})


def count_rows(call: Call, organisation: Organisation, table: Table) -> Reply:
    check_privilege(organisation.switches, call.user, "Read", table)
    count = min(organisation.rows.count(table.set), PAGE_LIMIT)
    return Reply(200, [("Content-Type", "text/plain")], str(count).encode())


def list_rows(call: Call, organisation: Organisation, table: Table) -> Reply:
    check_privilege(organisation.switches, call.user, "Read", table)
    options = _options(call, _LIST_OPTIONS)
    columns = selected(table, options)
    rows = _ordered(table, _filtered(organisation, table, options), options.get("$orderby"))
    start, prefix = _start(call)
    wanted = call.page_size()
    if "$top" in options and wanted is None:
        rows = rows[: whole_number("$top", options["$top"])]
    size = min(wanted or PAGE_LIMIT, organisation.switches.page_size)
    answer: dict[str, Any] = {"@odata.context": f"{call.root}/$metadata#{table.set}"}
    if options.get("$count") == "true":
        answer["@odata.count"] = min(len(rows), PAGE_LIMIT)
    if call.wants_annotation(_VERSION.removeprefix("@")):
        answer[_VERSION] = str(organisation.schema.version)
    answer["value"] = [shown(row, columns) for row in rows[start : start + size]]
    if start + size < len(rows):
        answer["@odata.nextLink"] = _next_link(call, prefix, start + size)
    return json_reply(answer)


def selected(table: Table, options: dict[str, str]) -> list[Column]:
    if not options.get("$select"):
        return list(table.columns.values())
    names = [name.strip() for name in options["$select"].split(",")]
    columns = [table.properties.get(name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column is None:
            raise refusals.unknown_property(name, table.type_name)
    return [table.columns[table.primary_id], *(column for column in columns if column)]


def shown(row: Row, columns: list[Column]) -> dict[str, Any]:
    values = {column.property_name: row.values.get(column.name) for column in columns}
    return {"@odata.etag": row.etag, **values}


def _options(call: Call, simulated: set[str]) -> dict[str, str]:
    options = call.options
    if "$skip" in options:
        raise Refusal(400, "0x80060888", "Skip Clause is not supported in CRM")
    for name in options:
        if name not in simulated and (name.startswith("$") or name in ("sql", "fetchXml")):
            raise refusals.not_simulated(f"the query option {name}")
    return options


def _filtered(organisation: Organisation, table: Table, options: dict[str, str]) -> list[Row]:
    if not options.get("$filter"):
        return organisation.rows.all(table.set)
    names = {name: column.name for name, column in table.properties.items()}
    found = read_filter(options["$filter"], any_of(names, table.type_name))
    rows = organisation.rows.within(table, *found.within) if found.within else None
    if rows is None:
        rows = organisation.rows.all(table.set)
    kept = [row for row in rows if found.keep(row.values)]
    return [row for row in kept if not organisation.faults.hides(table.set, row.values)]


def _ordered(table: Table, rows: list[Row], order: str | None) -> list[Row]:
    for item in reversed(order.split(",") if order else []):
        name, _, direction = item.strip().partition(" ")
        column = table.properties.get(name)
        if column is None:
            raise refusals.unknown_property(name, table.type_name)
        rows = sorted(rows, key=_sort_key(column), reverse=direction.strip() == "desc")
    return rows


def _sort_key(column: Column) -> Any:
    def key(row: Row) -> tuple[bool, Any]:
        value = row.values.get(column.name)
        return value is not None, value.casefold() if isinstance(value, str) else value or 0

    return key


def _next_link(call: Call, prefix: str, start: int) -> str:
    cookie = f'<cookie pagenumber="{start}" seal="{_seal(prefix, start)}" />'
    link = f"{call.root}/{call.path.lstrip('/')}?"
    return link + (f"{prefix}&" if prefix else "") + "$skiptoken=" + quote(cookie, safe="")


def _start(call: Call) -> tuple[int, str]:
    """Where the page starts. A next link that was decoded, rebuilt or added to does not work."""
    prefix, token, cookie = call.query.partition("$skiptoken=")
    if not token:
        return 0, call.query
    prefix = prefix.removesuffix("&")
    number = unquote(cookie).partition('pagenumber="')[2].partition('"')[0]
    if not number.isdigit() or not _next_link(call, prefix, int(number)).endswith("=" + cookie):
        raise Refusal(400, "0x80060888", "Malformed XML in the Paging Cookie")
    return int(number), prefix


def _seal(prefix: str, start: int) -> str:
    return hashlib.sha256(f"{prefix}\n{start}".encode()).hexdigest()[:24]
