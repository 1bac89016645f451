"""The service root: finds what a call asks for; every refusal becomes an OData error reply."""

from sandbox.dataverse import addresses, bulk, metadata, queries, refusals, tracking
from sandbox.dataverse.addresses import RowAddress, Segment
from sandbox.dataverse.calls import Call, Reply, json_reply, no_content, refusal_reply
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.refusals import Refusal
from sandbox.dataverse.rows import Row
from sandbox.dataverse.schema import Table
from sandbox.dataverse.users import acting, check_privilege, check_user
from sandbox.dataverse.writes import Writes

UNIT_ID = "4026be43-6b69-e111-8f65-78e7d1620f5e"
_BULK_PREFIX = "Microsoft.Dynamics.CRM."


def answer(call: Call, organisation: Organisation) -> Reply:
    """The reply to one call; a refused call has changed nothing."""
    try:
        return _dispatch(acting(call, organisation.switches), organisation)
    except Refusal as refusal:
        return refusal_reply(refusal)


def _dispatch(call: Call, organisation: Organisation) -> Reply:
    check_user(organisation.switches, call.user)
    steps = addresses.segments(call.path)
    match steps[0].name:
        case "WhoAmI":
            ids = {"BusinessUnitId": UNIT_ID, "OrganizationId": UNIT_ID, "UserId": call.user}
            return json_reply(ids)
        case "EntityDefinitions":
            return metadata.answer(call, organisation, steps)
        case "sdkmessagefilters":
            return metadata.message_filters(call, organisation)
        case "BulkDelete" if call.method == "POST":
            return bulk.delete(call, organisation)
        case "$metadata" | "RelationshipDefinitions" | "RetrieveMetadataChanges" as name:
            raise refusals.not_simulated(name)
    table = addresses.table_of(organisation.schema, steps[0].name)
    if steps[0].key is None:
        return _on_set(call, organisation, table, steps[1:])
    address = addresses.row_address(table, steps[0].key)
    if len(steps) == 1:
        return _on_row(call, organisation, address)
    return _on_column(call, organisation, address, steps[1:])


def _on_set(call: Call, organisation: Organisation, table: Table, rest: list[Segment]) -> Reply:
    if rest and rest[0].name.startswith(_BULK_PREFIX) and call.method == "POST":
        return bulk.run(call, organisation, table, rest[0].name.removeprefix(_BULK_PREFIX))
    if rest and rest[0].name == "$count" and call.method == "GET":
        if tracking.is_meant(call):
            return tracking.count_changes(call, organisation, table)
        return queries.count_rows(call, organisation, table)
    if rest:
        raise refusals.unknown_segment(rest[0].name)
    if call.method == "GET" and tracking.is_meant(call):
        return tracking.list_changes(call, organisation, table)
    if call.method == "GET":
        return queries.list_rows(call, organisation, table)
    if call.method == "POST":
        row = Writes(organisation, call).create(table, call.json_object(table.logical))
        return _written(
            call, organisation, RowAddress(table, row.id, row_id=row.id), row, created=True
        )
    raise refusals.method_not_allowed(call.method)


def _on_row(call: Call, organisation: Organisation, address: RowAddress) -> Reply:
    writes = Writes(organisation, call)
    match call.method:
        case "GET":
            return queries.read_row(call, organisation, address.table, writes.existing(address))
        case "DELETE":
            writes.delete(address, call.headers.get("if-match"))
            return no_content()
        case "PATCH":
            row, created = writes.upsert(
                address,
                call.json_object(address.table.logical),
                match=call.headers.get("if-match"),
                none_match=call.headers.get("if-none-match"),
            )
            return _written(call, organisation, address, row, created=created)
    raise refusals.method_not_allowed(call.method)


def _on_column(
    call: Call, organisation: Organisation, address: RowAddress, rest: list[Segment]
) -> Reply:
    """PUT sets and DELETE clears one column; GET reads it."""
    writes = Writes(organisation, call)
    row, name = writes.existing(address), rest[0].name
    if len(rest) > 1 or rest[0].key is not None:
        raise refusals.not_simulated("navigation below a row")
    match call.method:
        case "GET":
            return queries.read_column(call, organisation, address.table, row, name)
        case "PUT":
            value = call.json_object(address.table.logical).get("value")
            writes.update(address, row, {name: value})
        case "DELETE":
            writes.update(address, row, {name: None})
        case _:
            raise refusals.method_not_allowed(call.method)
    return no_content()


def _written(
    call: Call, organisation: Organisation, address: RowAddress, row: Row, *, created: bool
) -> Reply:
    """204 with the address as the client wrote it (a key stays a key), or the row if asked for."""
    table = address.table
    if call.prefers("return=representation"):
        check_privilege(organisation.switches, call.user, "Read", table)
        columns = queries.selected(table, call.options)
        context = {"@odata.context": f"{call.root}/$metadata#{table.set}/$entity"}
        reply = json_reply({**context, **queries.shown(row, columns)}, 201 if created else 200)
        reply.headers.append(("Preference-Applied", "return=representation"))
    else:
        where = f"{call.root}/{address.path}"
        reply = no_content(("Location", where), ("OData-EntityId", where))
    reply.location = f"{call.root}/{table.set}({row.id})"
    return reply
