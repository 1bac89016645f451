"""Parents go first, and a circle is refused before it is saved."""

from services.sync.connection import ModuleMapping, ParentKey
from services.sync.family import circle, parents_first


def module(table: str, *looks_up: str) -> ModuleMapping:
    lookups = {f"to_{one}": ParentKey(one, "key") for one in looks_up}
    return ModuleMapping(table, "key", {name: name for name in lookups}, lookups=lookups)


def test_a_table_that_others_look_up_goes_first() -> None:
    modules = {
        "task": module("tasks", "people", "accounts"),
        "person": module("people", "accounts", "strangers"),
        "organisation": module("accounts", "accounts"),
    }
    assert parents_first(modules) == ["organisation", "person", "task"]
    assert circle(modules) == []


def test_modules_without_lookups_keep_their_order() -> None:
    names = [f"m{number}" for number in (3, 1, 2)]
    assert parents_first({name: module(name) for name in names}) == names


def test_who_looks_each_other_up_is_named_and_a_stored_circle_is_pushed_as_it_stands() -> None:
    modules = {"a": module("x", "y"), "b": module("y", "z"), "c": module("z", "x")}
    assert circle(modules) == ["a", "b", "c"]
    assert parents_first(modules) == ["a", "b", "c"]
