"""EntityDefinitions: tables, columns and keys as metadata, with the options clients use."""

import re
from typing import Any

from sandbox.dataverse import addresses, refusals
from sandbox.dataverse.addresses import Segment
from sandbox.dataverse.attributes import (
    CRM,
    TYPED,
    attribute,
    label,
    metadata_id,
    relationships,
)
from sandbox.dataverse.calls import Call, Reply, json_reply
from sandbox.dataverse.filters import any_of, read_filter
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.schema import Schema, Table

_EXPANDED = {"Keys", "Attributes", "OptionSet", "GlobalOptionSet", "ManyToOneRelationships"}


def answer(call: Call, organisation: Organisation, steps: list[Segment]) -> Reply:
    """`steps` is the path, its first step being EntityDefinitions."""
    if call.method != "GET":
        raise refusals.not_simulated("changes of metadata")
    if steps[0].key is None:
        tables = organisation.schema.tables.values()
        return _listing(call, [_definition(organisation, table) for table in tables])
    table = _table(organisation, steps[0].key)
    if len(steps) == 1:
        return json_reply(_projected(call, _definition(organisation, table)))
    if steps[1].name == "Keys":
        return _listing(call, _keys(organisation, table))
    if steps[1].name == "Attributes":
        return _attributes(call, organisation.schema, table, steps[1:])
    if steps[1].name == "ManyToOneRelationships":
        return _listing(call, relationships(organisation.schema, table))
    raise refusals.not_simulated(f"EntityDefinitions/{steps[1].name}")


def message_filters(call: Call, organisation: Organisation) -> Reply:
    """Which bulk messages a table has; UpsertMultiple never shows itself here."""
    found = [
        {
            "sdkmessagefilterid": metadata_id(message, table.logical),
            "primaryobjecttypecode": table.logical,
            "sdkmessageid/name": message,
        }
        for table in organisation.schema.tables.values()
        for message in sorted(table.bulk_actions)
    ]
    names = ("sdkmessagefilterid", "primaryobjecttypecode", "sdkmessageid/name")
    text = call.options.get("$filter")
    if text:
        known = any_of({name: name for name in names}, f"{CRM}sdkmessagefilter")
        found = list(filter(read_filter(text, known).keep, found))
    return json_reply({"value": [_message_filter(call, entry) for entry in found]})


def _message_filter(call: Call, entry: dict[str, Any]) -> dict[str, Any]:
    selected = call.options.get("$select", "sdkmessagefilterid,primaryobjecttypecode").split(",")
    shown = {name: entry[name] for name in selected if name in entry}
    if call.options.get("$expand", "").startswith("sdkmessageid"):
        shown["sdkmessageid"] = {"name": entry["sdkmessageid/name"]}
    return shown


def _table(organisation: Organisation, key: str) -> Table:
    name = re.fullmatch(r"LogicalName='(\w+)'", key)
    for table in organisation.schema.tables.values():
        if name and table.logical == name[1]:
            return table
        if addresses.guid(key) == metadata_id(table.logical):
            return table
    raise refusals.Refusal(
        404, "0x80060888", f"Could not find an entity with the specified key '{key}'."
    )


def _attributes(call: Call, schema: Schema, table: Table, steps: list[Segment]) -> Reply:
    found = [attribute(schema, table, column) for column in table.columns.values()]
    if steps[0].key is not None:
        name = re.fullmatch(r"LogicalName='(\w+)'", steps[0].key)
        found = [a for a in found if name and a["LogicalName"] == name[1]]
        if not found:
            raise refusals.unknown_segment(steps[0].key)
    cast = steps[1].name if len(steps) > 1 else None
    if cast:
        found = [a for a in found if a["@odata.type"] == f"#{cast}"]
    if steps[0].key is not None and found:
        return json_reply(_projected(call, found[0], cast=cast))
    return _listing(call, found, cast=cast)


def _listing(call: Call, items: list[dict[str, Any]], cast: str | None = None) -> Reply:
    text = call.options.get("$filter")
    if text and items:
        known = any_of({name: name for name in items[0]}, "Microsoft.Dynamics.CRM.MetadataBase")
        items = list(filter(read_filter(text, known).keep, items))
    return json_reply({"value": [_projected(call, item, cast=cast) for item in items]})


def _projected(call: Call, item: dict[str, Any], cast: str | None = None) -> dict[str, Any]:
    """Type-specific properties can be selected only behind a cast to their type."""
    names = [name.strip() for name in call.options.get("$select", "").split(",") if name]
    allowed = set(item) if cast else set(item) - TYPED
    for name in names:
        if name not in allowed and (cast or name in TYPED):
            raise refusals.unknown_property(
                name, cast or "Microsoft.Dynamics.CRM.AttributeMetadata"
            )
    expanded = {
        name for name in _EXPANDED if re.search(rf"\b{name}\b", call.options.get("$expand", ""))
    }
    kept = set(names) | {"@odata.type", "MetadataId"} if names else set(item) - _EXPANDED
    return {name: value for name, value in item.items() if name in kept | expanded}


def _definition(organisation: Organisation, table: Table) -> dict[str, Any]:
    schema = organisation.schema
    return {
        "MetadataId": metadata_id(table.logical),
        "LogicalName": table.logical,
        "SchemaName": table.logical.capitalize(),
        "EntitySetName": table.set,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "DisplayName": label(table.logical.capitalize()),
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": True,
        "IsPrivate": False,
        "Keys": _keys(organisation, table),
        "Attributes": [attribute(schema, table, column) for column in table.columns.values()],
        "ManyToOneRelationships": relationships(schema, table),
    }


def _keys(organisation: Organisation, table: Table) -> list[dict[str, Any]]:
    inactive = organisation.switches.inactive_keys
    return [
        {
            "MetadataId": metadata_id(table.logical, key.name),
            "LogicalName": key.name,
            "SchemaName": key.name,
            "EntityLogicalName": table.logical,
            "KeyAttributes": list(key.columns),
            "EntityKeyIndexStatus": organisation.switches.inactive_key_status
            if key.name in inactive
            else "Active",
        }
        for key in table.keys
    ]
