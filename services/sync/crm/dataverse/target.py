"""A module's table as the CRM describes it now: what it takes, and why a mapping cannot work."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from services.sync.connection import ModuleMapping
from services.sync.crm.dataverse.columns import (
    CHOICES,
    LOOKUPS,
    MANY_CHOICES,
    TEXTS,
    WRITTEN,
    TypedColumn,
    changes,
)
from services.sync.crm.dataverse.conversion import Convert, converter, utf16_units
from services.sync.crm.dataverse.keys import key_problem, same_key
from services.sync.crm.dataverse.metadata import Table
from services.sync.crm.dataverse.refused_values import NotConvertible
from services.sync.crm.port import Converted

_OF_ITSELF = frozenset({"Owner", "State", "Status", "Uniqueidentifier", "Boolean"})
_TABLED = CHOICES | MANY_CHOICES | {"Boolean"}


@dataclass(frozen=True)
class Parent:
    """What a lookup's mapping names: `fault` says why rows cannot be found by it."""

    logical_name: str = ""
    fault: str = ""


@dataclass(frozen=True)
class _Writing:
    """How one column is written: the name in the body, and what makes its value."""

    member: str
    convert: Convert
    is_required: bool


@dataclass(frozen=True)
class DataverseTarget:
    """`columns` are those that the mapping names or the CRM requires; `parents` are by column."""

    mapping: ModuleMapping
    table: Table
    columns: Mapping[str, TypedColumn]
    parents: Mapping[str, Parent]

    def key_problem(self, key: str) -> str | None:
        """Also where the key is longer than the column that it goes into."""
        if problem := key_problem(key):
            return problem
        column = self.columns.get(self.mapping.key_attribute)
        most = column.max_length if column is not None else None
        if most is not None and len(key) * 2 > most and utf16_units(key) > most:
            return f"the record's key has more than the {most} UTF-16 units of the key column"
        return None

    def same_key(self, key: str) -> str:
        return same_key(key)

    def convert(self, values: Mapping[str, Any]) -> Converted:
        """The first value that does not fit is said by column and rule."""
        made: dict[str, Any] = {}
        for column, value in values.items():
            writing = self._writings.get(column)
            if writing is None:
                return Converted({}, f"the column {column!r} cannot be written", column)
            try:
                made[column] = _made(writing, value)
            except NotConvertible as refused:
                return Converted({}, f"column {column!r}: {refused.rule}", column)
        return Converted(made)

    def members(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A lookup is written under its navigation property, and cleared there as well."""
        writings = self._writings
        return {
            writings[column].member if column in writings else column: value
            for column, value in values.items()
        }

    @cached_property
    def described(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Each mapped column as it is now, None where it is gone; in JSON."""
        wanted = dict.fromkeys((self.mapping.key_attribute, *self.mapping.fields.values()))
        found = {name: self.columns.get(name) for name in wanted}
        facts = {name: one.facts() if one else None for name, one in found.items()}
        if (of_key := facts[self.mapping.key_attribute]) is not None:
            of_key["key"] = self._key_status
        return facts

    @cached_property
    def fingerprint(self) -> str:
        text = json.dumps(self.described, sort_keys=True)
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def changes_since(self, described: Mapping[str, Any]) -> Sequence[str]:
        """What has changed since then, in words."""
        return list(changes(described, self.described))

    @cached_property
    def faults(self) -> Sequence[str]:
        """Why the mapping cannot work at all; the key first, then column by column."""
        found = [self._key_fault(), *map(self._column_fault, self.mapping.fields.values())]
        return [fault for fault in (*found, *self._missing()) if fault]

    @property
    def _key_status(self) -> str:
        wanted = [self.mapping.key_attribute]
        key = next((key for key in self.table.keys if key.key_attributes == wanted), None)
        return "none" if key is None else key.entity_key_index_status

    def _key_fault(self) -> str:
        name, status = self.mapping.key_attribute, self._key_status
        if status == "none":
            return f"{name!r} is not an alternate key of {self.mapping.table!r}"
        if status != "Active":
            return f"the index of the alternate key {name!r} is {status.lower()}"
        column = self.columns.get(name)
        if column is not None and column.type not in TEXTS:
            return f"the key column {name!r} is no text column"
        return ""

    def _column_fault(self, name: str) -> str:
        column = self.columns.get(name)
        if column is None:
            return f"the table {self.mapping.table!r} has no column {name!r}"
        if not column.is_writable:
            return f"the column {name!r} cannot be written"
        if column.type not in WRITTEN:
            return f"the column {name!r} is of a type that is not written"
        return self._choice_fault(column) or self._lookup_fault(column)

    def _choice_fault(self, column: TypedColumn) -> str:
        table = self.mapping.choices.get(column.name, {})
        if table and column.type not in _TABLED:
            return f"the column {column.name!r} is no choice; its mapping may not have any"
        numbers = {0, 1} if column.type == "Boolean" else column.options.keys()
        strange = next((one for one in table.values() if one not in numbers), None)
        return "" if strange is None else f"the column {column.name!r} has no option {strange}"

    def _lookup_fault(self, column: TypedColumn) -> str:
        wanted = self.mapping.lookups.get(column.name)
        if column.type not in LOOKUPS:
            return "" if wanted is None else f"the column {column.name!r} is no lookup"
        if wanted is None:
            return (
                f"the column {column.name!r} is a lookup: its mapping has to name the table that it"
                " refers to and an alternate key of it"
            )
        if fault := self.parents[column.name].fault:
            return fault
        if not column.navigation:
            return f"the column {column.name!r} does not refer to the table {wanted.table!r}"
        return ""

    def _missing(self) -> Iterator[str]:
        """Columns without which no row can be made, and that the CRM does not fill itself."""
        mapped = {self.mapping.key_attribute, *self.mapping.fields.values()}
        for column in self.columns.values():
            must = column.is_required and column.is_writable and column.type not in _OF_ITSELF
            if must and column.name not in mapped:
                yield f"the CRM requires the column {column.name!r}, which no field goes into"

    @cached_property
    def _writings(self) -> Mapping[str, _Writing]:
        names = self.mapping.fields.values()
        usable = (self.columns[name] for name in names if not self._column_fault(name))
        return {column.name: self._writing(column) for column in usable}

    def _writing(self, column: TypedColumn) -> _Writing:
        wanted = self.mapping.lookups.get(column.name)
        if wanted is None:
            convert = converter(column, self.mapping.choices.get(column.name, {}))
            return _Writing(column.name, convert, column.is_required)
        member = f"{column.navigation}@odata.bind"
        return _Writing(member, _reference(wanted.table, wanted.key_attribute), column.is_required)


def _made(writing: _Writing, value: Any) -> Any:
    """An empty value clears the column."""
    if value is not None:
        return writing.convert(value)
    if writing.is_required:
        raise NotConvertible("the CRM requires a value")
    return None


def _reference(table: str, key_attribute: str) -> Callable[[object], str]:
    """The address of a row by its alternate key, whether it exists or not."""

    def convert(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise NotConvertible("the value is no key of a row")
        if key_problem(str(value)):
            raise NotConvertible("the value cannot be the key of a row in Dataverse")
        name = quote(str(value).replace("'", "''"), safe="'!$()*,;=@")
        return f"{table}({key_attribute}='{name}')"

    return convert
