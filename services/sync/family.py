"""Which module goes first: a row can refer to another one only when that is in the CRM; pure.

A module that refers to itself is no circle: its rows wait for each other, one by one.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from services.sync.connection import ModuleMapping


def parents_first(modules: Mapping[str, ModuleMapping]) -> list[str]:
    """Modules whose tables others look up before those; in the given order where it is free."""
    try:
        return list(TopologicalSorter(_parents(modules)).static_order())
    except CycleError:  # a stored mapping, from before circles were refused
        return list(modules)


def children_of(module: str, modules: Mapping[str, ModuleMapping]) -> list[str]:
    """Modules whose rows name rows of this one's table, itself among them where it does."""
    return [name for name, parents in _parents(modules, own=True).items() if module in parents]


def circle(modules: Mapping[str, ModuleMapping]) -> list[str]:
    """Modules that look each other up, so that neither could be first; empty where none do."""
    try:
        TopologicalSorter(_parents(modules)).prepare()
    except CycleError as found:
        return sorted(set(found.args[1]))
    return []


def _parents(modules: Mapping[str, ModuleMapping], *, own: bool = False) -> dict[str, list[str]]:
    by_table: dict[str, list[str]] = {}
    for name, mapping in modules.items():
        by_table.setdefault(mapping.table, []).append(name)
    return {
        name: sorted(
            {
                parent
                for lookup in mapping.lookups.values()
                for parent in by_table.get(lookup.table, ())
                if own or parent != name
            }
        )
        for name, mapping in modules.items()
    }
