"""The columns of a table: their types and what each type allows unless a description says more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ColumnType = Literal[
    "string",
    "memo",
    "integer",
    "bigint",
    "decimal",
    "double",
    "money",
    "boolean",
    "date",
    "datetime",
    "guid",
    "choice",
    "multiselect",
    "state",
    "status",
    "lookup",
]
RequiredLevel = Literal["none", "application", "system"]
Behavior = Literal["user_local", "time_zone_independent"]

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "string": {"max_length": 100},
    "memo": {"max_length": 2000},
    "integer": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "bigint": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "decimal": {"minimum": -100_000_000_000, "maximum": 100_000_000_000, "precision": 2},
    "double": {"minimum": -100_000_000_000, "maximum": 100_000_000_000, "precision": 2},
    "money": {"minimum": -922_337_203_685_477, "maximum": 922_337_203_685_477, "precision": 2},
}


@dataclass(frozen=True)
class Column:
    """One column. Of the required levels only "system" is enforced, as in Dataverse.

    `options` are labels and values; `states` gives the state that each label of a status belongs
    to. `targets` are navigation properties and the sets they lead to. A column may be set on
    `create`, on `update`, both or (`read_only`) neither.
    """

    name: str
    type: ColumnType
    required: RequiredLevel = "none"
    read_only: bool = False
    create: bool = True
    update: bool = True
    max_length: int | None = None
    ascii_only: bool = False
    minimum: float | None = None
    maximum: float | None = None
    precision: int = 2
    options: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    behavior: Behavior = "user_local"
    default: Any = None

    @property
    def property_name(self) -> str:
        """The name under which rows show it: lookups read as `_name_value`."""
        return f"_{self.name}_value" if self.type == "lookup" else self.name

    def may_be_set(self, *, creating: bool) -> bool:
        return not self.read_only and (self.create if creating else self.update)


def read_column(entry: Mapping[str, Any]) -> Column:
    """A column from its description; what it does not say is as in Dataverse."""
    return Column(**{**_DEFAULTS.get(entry["type"], {}), **entry})


def system_columns(primary_id: str) -> list[Column]:
    """What every table has."""
    users = ("createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby")
    return [
        Column(primary_id, "guid", update=False),
        Column("createdon", "datetime", read_only=True),
        Column("modifiedon", "datetime", read_only=True),
        Column("versionnumber", "bigint", read_only=True),
        *(Column(n, "lookup", read_only=True, targets={n: "systemusers"}) for n in users),
        Column("statecode", "state", options={"Active": 0, "Inactive": 1}, default=0),
        Column(
            "statuscode",
            "status",
            options={"Active": 1, "Inactive": 2},
            states={"Active": 0, "Inactive": 1},
            default=1,
        ),
    ]
