"""CreateMultiple, UpdateMultiple, UpsertMultiple, BulkDelete: all or nothing, no row outcomes."""

import uuid
from typing import Any

from sandbox.dataverse import addresses, refusals
from sandbox.dataverse.addresses import RowAddress
from sandbox.dataverse.calls import Call, Reply, json_reply, no_content
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.refusals import Refusal
from sandbox.dataverse.schema import Table
from sandbox.dataverse.writes import Writes


def run(call: Call, organisation: Organisation, table: Table, action: str) -> Reply:
    """One bulk action on one table, in one transaction."""
    deed = {
        "CreateMultiple": _create,
        "UpdateMultiple": _update,
        "UpsertMultiple": _upsert,
    }.get(action)
    if action == "DeleteMultiple":
        raise Refusal(400, "0x80040203", "DeleteMultiple has not yet been implemented.")
    if deed is None or not table.has_action(action):
        raise refusals.unknown_segment(f"Microsoft.Dynamics.CRM.{action}")
    if len(call.body) > organisation.switches.max_bulk_bytes:
        raise refusals.too_large()
    targets = _targets(call, table)
    with organisation.rows.transaction():
        return deed(call, organisation, table, targets)


def delete(call: Call, organisation: Organisation) -> Reply:
    """BulkDelete of rows named by id: at once, where the real one is a job that runs later."""
    body = call.json_object("BulkDelete")
    try:
        query = body["QuerySet"][0]
        table = organisation.schema.by_logical(query["EntityName"])
        condition = query["Criteria"]["Conditions"][0]
        ids = [str(item["Value"]) for item in condition["Values"]]
        test = (condition["AttributeName"], condition["Operator"])
    except (KeyError, IndexError, TypeError):
        raise refusals.not_simulated("this form of BulkDelete") from None
    if table is None or test != (table.primary_id, "In"):
        raise refusals.not_simulated("this form of BulkDelete")
    with organisation.rows.transaction():
        for row in filter(None, (organisation.rows.get(table.set, row_id) for row_id in ids)):
            organisation.rows.delete(table, row)
    return json_reply({"JobId": str(uuid.uuid4())})


def _targets(call: Call, table: Table) -> list[dict[str, Any]]:
    targets = call.json_object(table.logical).get("Targets")
    if not isinstance(targets, list) or not targets:
        raise refusals.bad_payload(table.logical, "the parameter Targets is missing or empty")
    for target in targets:
        kind = str(target.get("@odata.type", "")) if isinstance(target, dict) else ""
        if kind.removeprefix("#") != table.type_name:
            raise refusals.bad_payload(
                table.logical,
                "Microsoft.OData.ODataException: A type named "
                f"'{kind}' could not be resolved; every target needs @odata.type.",
            )
    return targets


def _create(
    call: Call, organisation: Organisation, table: Table, targets: list[dict[str, Any]]
) -> Reply:
    writes = Writes(organisation, call)
    return json_reply({"Ids": [writes.create(table, target).id for target in targets]})


def _update(
    call: Call, organisation: Organisation, table: Table, targets: list[dict[str, Any]]
) -> Reply:
    """Only the first target of each row counts; later ones are dropped in silence, as for real."""
    writes = Writes(organisation, call)
    seen: set[str] = set()
    for target in targets:
        row_id = addresses.guid(str(target.get(table.primary_id)))
        if row_id is None:
            raise refusals.bad_payload(table.logical, f"{table.primary_id} is missing")
        address = RowAddress(table, row_id, row_id=row_id)
        if row_id not in seen:
            seen.add(row_id)
            writes.update(address, writes.existing(address), target)
    return no_content()


def _upsert(
    call: Call, organisation: Organisation, table: Table, targets: list[dict[str, Any]]
) -> Reply:
    """Refuses two targets for one row, and on create a body that repeats its key columns."""
    writes = Writes(organisation, call)
    seen: set[str] = set()
    for target in targets:
        address = _address(call, organisation, table, target)
        row, created = writes.upsert(address, target, match=None, none_match=None)
        if row.id in seen or (created and set(address.key_values()) & set(target)):
            raise refusals.unexpected()
        seen.add(row.id)
    return no_content()


def _address(
    call: Call, organisation: Organisation, table: Table, target: dict[str, Any]
) -> RowAddress:
    written = target.get("@odata.id") or f"{table.set}({target.get(table.primary_id)})"
    address = addresses.reference(organisation.schema, str(written), call.root)
    if address.table.set != table.set:
        raise refusals.bad_payload(table.logical, f"'{written}' is of another table")
    return address
