"""Asks an environment what a mapping has to know of its tables: one call for each type in use."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.sync.connection import ModuleMapping, ParentKey
from services.sync.crm.dataverse import columns as of
from services.sync.crm.dataverse import questions
from services.sync.crm.dataverse.columns import TypedColumn
from services.sync.crm.dataverse.environment import Environment, TableMissing
from services.sync.crm.dataverse.metadata import (
    ChoiceDetail,
    Column,
    ColumnDetail,
    MomentDetail,
    NumberDetail,
    Table,
    TextDetail,
)
from services.sync.crm.dataverse.target import DataverseTarget, Parent

_CURRENCY_DECIMALS = 4  # the most there are; which ones hold lies with the row's currency


async def describe(environment: Environment, mapping: ModuleMapping) -> DataverseTarget:
    """Raises TableMissing, and what a call raises."""
    table = await environment.table(mapping.table)
    known = await environment.columns(table.logical_name)
    named = {mapping.key_attribute, *mapping.fields.values()}
    used = {
        name: column
        for name, column in known.items()
        if name in named or (column.is_required and name != table.primary_id_attribute)
    }
    details = await _details(environment, table, (used[name] for name in used if name in named))
    parents = {
        column: await _parent(environment, wanted) for column, wanted in mapping.lookups.items()
    }
    relations = await questions.relations(environment, table.logical_name) if parents else []
    navigations = {
        (one.referencing_attribute, one.referenced_entity): (
            one.referencing_entity_navigation_property_name
        )
        for one in relations
    }
    typed = {
        name: _typed(column, details.get(name), _navigation(name, parents, navigations))
        for name, column in used.items()
    }
    return DataverseTarget(mapping, table, typed, parents)


def _navigation(
    name: str, parents: Mapping[str, Parent], navigations: Mapping[tuple[str, str], str]
) -> str:
    return navigations.get((name, parents[name].logical_name), "") if name in parents else ""


async def _details(
    environment: Environment, table: Table, columns: Iterable[Column]
) -> dict[str, ColumnDetail]:
    found: dict[str, ColumnDetail] = {}
    for type_name in sorted({type_of(column) for column in columns} & of.DETAILED):
        shape = _SHAPES[type_name]
        found |= await questions.details(environment, table.logical_name, type_name, shape)
    return found


async def _parent(environment: Environment, wanted: ParentKey) -> Parent:
    try:
        table = await environment.table(wanted.table)
    except TableMissing:
        return Parent(fault=f"the CRM has no table {wanted.table!r}")
    name = wanted.key_attribute
    status = [key.entity_key_index_status for key in table.keys if key.key_attributes == [name]]
    if not status:
        fault = f"{name!r} is not an alternate key of {wanted.table!r}"
    elif status[0] != "Active":
        fault = f"the index of the alternate key {name!r} is {status[0].lower()}"
    else:
        column = (await environment.columns(table.logical_name)).get(name)
        is_text = column is not None and type_of(column) in of.TEXTS
        fault = "" if is_text else f"the key column {name!r} of {wanted.table!r} is no text column"
    return Parent(table.logical_name, fault)


def type_of(column: Column) -> str:
    return column.type_name.removesuffix("Type")


_SHAPES: Mapping[str, type[ColumnDetail]] = {
    **dict.fromkeys(of.TEXTS, TextDetail),
    **dict.fromkeys(of.WHOLES | of.NUMBERS, NumberDetail),
    **dict.fromkeys(of.CHOICES | of.MANY_CHOICES, ChoiceDetail),
    "DateTime": MomentDetail,
}


def _typed(column: Column, detail: ColumnDetail | None, navigation: str) -> TypedColumn:
    return TypedColumn(
        column.logical_name,
        type_of(column) if type_of(column) in of.WRITTEN else "",
        is_required=column.is_required,
        is_writable=column.is_valid_for_create and column.is_valid_for_update,
        navigation=navigation,
        **_of_type(detail),
    )


def _of_type(detail: ColumnDetail | None) -> dict[str, Any]:
    match detail:
        case TextDetail():
            return {"max_length": detail.max_length}
        case NumberDetail():
            return {
                "lowest": detail.min_value,
                "highest": detail.max_value,
                "decimals": _CURRENCY_DECIMALS if detail.precision_source else detail.precision,
            }
        case MomentDetail():
            return {"behaviour": detail.date_time_behavior.value}
        case ChoiceDetail():
            return {"options": {one.value: frozenset(one.labels) for one in detail.options}}
    return {}
