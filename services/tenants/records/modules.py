"""A module of a tenant: its typed fields, and which of them is the record's key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.tenants.records.fields import Fault, Field, check_fields, check_key


@dataclass(frozen=True, slots=True)
class Module:
    """A module's definition; `key_field` (if any) and the record's key are one value."""

    name: str
    fields: Mapping[str, Field]
    key_field: str | None = None

    @property
    def required(self) -> list[str]:
        return [name for name, field in self.fields.items() if field.required]

    @property
    def needs_key(self) -> bool:
        return self.key_field is not None and self.fields[self.key_field].required


def with_key(module: Module, key: Any, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The key and the fields, each completed from the other where the module has a key field."""
    completed = dict(values)
    if module.key_field is None:
        return key, completed
    if key is None:
        return completed.get(module.key_field), completed
    completed.setdefault(module.key_field, key)
    return key, completed


def check_record(
    module: Module, key: object, values: Mapping[str, object], *, is_partial: bool
) -> list[Fault]:
    """The faults of a key and fields that `with_key` has completed; pointers from the record."""
    of_key = _check_key(module, key, values) if key is not None else []
    of_fields = [
        fault._replace(pointer=f"/fields{fault.pointer}")
        for fault in check_fields(module.fields, values, is_partial=is_partial)
    ]
    if of_key:  # the key field has the same value: one fault is enough
        of_fields = [fault for fault in of_fields if fault.pointer != f"/fields/{module.key_field}"]
    return of_key + of_fields


def _check_key(module: Module, key: object, values: Mapping[str, object]) -> list[Fault]:
    fault = check_key(key)
    if fault is not None:
        return [fault]
    if module.key_field is None or values.get(module.key_field, key) == key:
        return []
    return [Fault(f"/fields/{module.key_field}", "must be the same as the key")]
