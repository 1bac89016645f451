"""What is asked of an environment beside its tables: the properties of types, and lookups."""

from functools import partial
from typing import TypeVar

from services.sync.crm.dataverse import metadata
from services.sync.crm.dataverse.aside import aside
from services.sync.crm.dataverse.environment import Environment
from services.sync.crm.dataverse.metadata import ColumnDetail, Relation
from services.sync.crm.dataverse.operations import API, DETAILS, RELATIONS

_Shape = TypeVar("_Shape", bound=ColumnDetail)
_OPTIONS = "OptionSet($select=Options),GlobalOptionSet($select=Options)"
_SELECTED = {
    **dict.fromkeys(("String", "Memo"), "MaxLength"),
    **dict.fromkeys(("Integer", "BigInt"), "MinValue,MaxValue"),
    **dict.fromkeys(("Decimal", "Double"), "MinValue,MaxValue,Precision"),
    "Money": "MinValue,MaxValue,Precision,PrecisionSource",
    "DateTime": "DateTimeBehavior",
}


async def details(
    environment: Environment, logical_name: str, type_name: str, shape: type[_Shape]
) -> dict[str, _Shape]:
    """What only the columns of one type have, by logical name."""
    selected = _SELECTED.get(type_name)
    path = (
        f"{API}/EntityDefinitions(LogicalName='{logical_name}')/Attributes"
        f"/Microsoft.Dynamics.CRM.{type_name}AttributeMetadata?$select=LogicalName"
        + (f",{selected}" if selected else f"&$expand={_OPTIONS}")
    )
    reply = await environment.authorised(environment.new_call(DETAILS, path, table=logical_name))
    return await aside(partial(metadata.details, shape=shape), reply)


async def relations(environment: Environment, logical_name: str) -> list[Relation]:
    """The lookups of a table, with the names under which they are written."""
    path = (
        f"{API}/EntityDefinitions(LogicalName='{logical_name}')/ManyToOneRelationships"
        "?$select=ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName"
    )
    reply = await environment.authorised(environment.new_call(RELATIONS, path, table=logical_name))
    return await aside(metadata.relations, reply)
