"""The shipped access levels as data: number -> bundle of grants, one table for each realm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from contracts.access import Grants, Scope
from contracts.permissions import OPERATOR_PERMISSIONS, PERMISSIONS

Realm = Literal["tenant", "operators"]

ADMINISTRATOR: Final = 80
STANDARD: Final = 61
READ_ONLY: Final = 25


@dataclass(frozen=True, slots=True)
class Level:
    number: int
    name: str
    grants: Grants


_RECORDS = frozenset(
    {
        "activity",
        "campaign",
        "delivery",
        "document",
        "email",
        "opportunity",
        "organisation",
        "person",
        "product",
        "quotation",
        "support_case",
        "time_expense",
    }
)
_READ = {"view": Scope.ALL}
# changing goes as far as being responsible; export, import, bulk and merge are never implied
_WORK = _READ | {
    "create": Scope.ALL,
    "edit": Scope.OWN2,
    "assign": Scope.OWN,
    "close": Scope.OWN,
    "delete": Scope.OWN,
    "send": Scope.OWN,
    "share": Scope.OWN,
}
_LOOK_AROUND = {
    "menu.calendar": Scope.ALL,
    "menu.dashboard": Scope.ALL,
    "menu.documents": Scope.ALL,
    "menu.marketing": Scope.ALL,
    "menu.sales": Scope.ALL,
    "menu.support": Scope.ALL,
    "report.dashboard_view": Scope.ALL,
    "report.run": Scope.ALL,
}
_TOOLS = {
    "menu.utilities": Scope.ALL,
    "utility.budget_view": Scope.ALL,
    "utility.duplicate_finder": Scope.ALL,
}


def _on_records(actions: Mapping[str, Scope]) -> dict[str, Scope]:
    """The actions on every kind of record that has them."""
    split = ((permission, *permission.split(".")) for permission in PERMISSIONS)
    return {
        permission: actions[action]
        for permission, module, action in split
        if module in _RECORDS and action in actions
    }


def _level(number: int, name: str, scopes: Mapping[str, Scope]) -> Level:
    return Level(number, name, Grants(PERMISSIONS, scopes))


def _operator_level(number: int, name: str, permissions: list[str]) -> Level:
    everything = dict.fromkeys(permissions, Scope.ALL)
    return Level(number, name, Grants(OPERATOR_PERMISSIONS, everything))


_TENANT_LEVELS = (
    _level(ADMINISTRATOR, "administrator", dict.fromkeys(PERMISSIONS, Scope.ALL)),
    _level(STANDARD, "standard", _on_records(_WORK) | _LOOK_AROUND | _TOOLS),
    _level(READ_ONLY, "read-only", _on_records(_READ) | _LOOK_AROUND),
)
_OPERATOR_LEVELS = (
    _operator_level(ADMINISTRATOR, "administrator", list(OPERATOR_PERMISSIONS)),
    _operator_level(
        READ_ONLY, "read-only", [p for p in OPERATOR_PERMISSIONS if p.endswith(".view")]
    ),
)
LEVELS: Final[Mapping[Realm, Mapping[int, Level]]] = {
    "tenant": {level.number: level for level in _TENANT_LEVELS},
    "operators": {level.number: level for level in _OPERATOR_LEVELS},
}
