"""Columns as metadata: what AttributeMetadata and each type derived from it say."""

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.dataverse.columns import Column
from sandbox.dataverse.schema import Schema, Table

CRM = "Microsoft.Dynamics.CRM."
TYPED = {
    *("MaxLength", "Format", "FormatName", "MinValue", "MaxValue", "Precision", "Targets"),
    *("DateTimeBehavior", "OptionSet", "GlobalOptionSet", "PrecisionSource"),
}
"""What can be selected or expanded only behind a cast to the type."""

_TYPES = {
    "string": "String",
    "memo": "Memo",
    "integer": "Integer",
    "bigint": "BigInt",
    "decimal": "Decimal",
    "double": "Double",
    "money": "Money",
    "boolean": "Boolean",
    "date": "DateTime",
    "datetime": "DateTime",
    "guid": "Uniqueidentifier",
    "choice": "Picklist",
    "multiselect": "MultiSelectPicklist",
    "state": "State",
    "status": "Status",
    "lookup": "Lookup",
}
_REQUIRED = {"none": "None", "application": "ApplicationRequired", "system": "SystemRequired"}
_BEHAVIORS = {"user_local": "UserLocal", "time_zone_independent": "TimeZoneIndependent"}


def attribute(schema: Schema, table: Table, column: Column) -> dict[str, Any]:
    is_id = column.name == table.primary_id
    name = _TYPES[column.type]
    return {
        "@odata.type": f"#{CRM}{'' if is_id else name}AttributeMetadata",
        "MetadataId": metadata_id(table.logical, column.name),
        "EntityLogicalName": table.logical,
        "LogicalName": column.name,
        "SchemaName": next(iter(column.targets), column.name),
        "AttributeType": _attribute_type(column),
        "AttributeTypeName": {"Value": f"{name}Type"},
        "AttributeOf": None,
        "DisplayName": label(column.name),
        "RequiredLevel": {"Value": _REQUIRED[column.required]},
        "IsValidForCreate": column.may_be_set(creating=True),
        "IsValidForUpdate": column.may_be_set(creating=False),
        "IsValidForRead": True,
        "IsPrimaryId": is_id,
        "IsPrimaryName": column.name == table.primary_name,
        **_typed(schema, column),
    }


def relationships(schema: Schema, table: Table) -> list[dict[str, Any]]:
    """Many to one: a lookup and its navigation property, once for each table it leads to."""
    return [
        {
            "MetadataId": metadata_id(table.logical, column.name, navigation),
            "SchemaName": f"{table.logical}_{navigation}",
            "RelationshipType": "OneToManyRelationship",
            "ReferencingEntity": table.logical,
            "ReferencingAttribute": column.name,
            "ReferencingEntityNavigationPropertyName": navigation,
            "ReferencedEntity": schema.logical_of(target),
            "ReferencedAttribute": f"{schema.logical_of(target)}id",
            "ReferencedEntityNavigationPropertyName": f"{table.logical}_{navigation}",
        }
        for navigation, (column, target) in table.navigations.items()
    ]


def label(text: str) -> dict[str, Any]:
    shown = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [shown], "UserLocalizedLabel": shown}


def metadata_id(*names: str) -> str:
    """Stable over restarts, because clients keep metadata ids."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(names)))


def _attribute_type(column: Column) -> str:
    """Two names differ from those of their type: several choices, a lookup of several tables."""
    if column.type == "multiselect":
        return "Virtual"
    return "Customer" if len(column.targets) > 1 else _TYPES[column.type]


def _typed(schema: Schema, column: Column) -> dict[str, Any]:
    limits = {"MinValue": column.minimum, "MaxValue": column.maximum}
    match column.type:
        case "string":
            kind = {"Format": "Text", "FormatName": {"Value": "Text"}}
            return {"MaxLength": column.max_length, **kind}
        case "memo":
            return {"MaxLength": column.max_length, "Format": "TextArea"}
        case "integer" | "bigint":
            return limits
        case "decimal" | "double":
            return {**limits, "Precision": column.precision}
        case "money":  # 0: the precision is the column's, not the currency's
            return {**limits, "Precision": column.precision, "PrecisionSource": 0}
        case "date" | "datetime":
            return _moment(column)
        case "lookup":
            return {"Targets": [schema.logical_of(name) for name in column.targets.values()]}
        case "boolean":
            yes, no = {"Value": 1, "Label": label("Yes")}, {"Value": 0, "Label": label("No")}
            return {"OptionSet": {"TrueOption": yes, "FalseOption": no}, "GlobalOptionSet": None}
        case "choice" | "multiselect" | "state" | "status":
            return {"OptionSet": _options(column), "GlobalOptionSet": None}
    return {}


def _moment(column: Column) -> dict[str, Any]:
    if column.type == "date":
        return {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}
    behavior = {"Value": _BEHAVIORS[column.behavior]}
    return {"Format": "DateAndTime", "DateTimeBehavior": behavior}


def _options(column: Column) -> dict[str, Any]:
    options = [
        {"Value": v, "Label": label(k), **_state(column, k)} for k, v in column.options.items()
    ]
    return {"Name": column.name, "IsGlobal": False, "Options": options}


def _state(column: Column, name: str) -> Mapping[str, Any]:
    if column.type == "status":
        return {"State": column.states[name]}
    return {"InvariantName": name} if column.type == "state" else {}
