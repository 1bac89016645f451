"""Reads Web API addresses such as `accounts(key='O''Brien')/name`; case matters in names."""

import re
import uuid
from dataclasses import dataclass
from urllib.parse import unquote

from sandbox.dataverse import refusals
from sandbox.dataverse.columns import Column
from sandbox.dataverse.schema import Key, Schema, Table

FORBIDDEN_IN_KEYS = "/<>*%&:\\?+"
_SEGMENT = re.compile(r"([$\w.]+)(?:\((.*)\))?", re.DOTALL)
KeyValue = str | int | float | bool


@dataclass(frozen=True)
class Segment:
    """One step of a path: a name and, in parentheses, its key text."""

    name: str
    key: str | None


@dataclass(frozen=True)
class RowAddress:
    """One row, by id or by alternate key; `text` is the key as it was written."""

    table: Table
    text: str
    row_id: str | None = None
    key: Key | None = None
    values: tuple[KeyValue, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.table.set}({self.text})"

    def key_values(self) -> dict[str, KeyValue]:
        return dict(zip(self.key.columns, self.values, strict=True)) if self.key else {}


def segments(path: str) -> list[Segment]:
    """Splits a percent-encoded path; a slash inside a quoted key value does not split."""
    found = []
    for text in _split(unquote(path).strip("/"), "/"):
        match = _SEGMENT.fullmatch(text)
        if not match:
            raise refusals.unknown_segment(text)
        found.append(Segment(match[1], match[2]))
    return found


def row_address(table: Table, key_text: str) -> RowAddress:
    """The row that a key text names; the text of §key columns must fit one declared key."""
    row_id = guid(key_text)
    if row_id:
        return RowAddress(table, row_id, row_id=row_id)
    parts = dict(_key_part(table, part) for part in _split(key_text, ","))
    if set(parts) == {table.primary_id}:
        return RowAddress(table, key_text, row_id=str(parts[table.primary_id]))
    for key in table.keys:
        if set(key.columns) == set(parts):
            values = tuple(parts[column] for column in key.columns)
            return RowAddress(table, key_text, key=key, values=values)
    raise refusals.key_not_valid(table)


def reference(schema: Schema, text: str, root: str) -> RowAddress:
    """The row behind `@odata.bind` or `@odata.id`: relative, rooted or absolute."""
    for prefix in (root, root[root.find("/api/") :]):
        text = text.removeprefix(prefix)
    steps = segments(text)
    if len(steps) != 1 or steps[0].key is None:
        raise refusals.unknown_segment(text)
    return row_address(table_of(schema, steps[0].name), steps[0].key)


def table_of(schema: Schema, name: str) -> Table:
    table = schema.tables.get(name)
    if table is None:
        raise refusals.unknown_segment(name)
    return table


def guid(text: str) -> str | None:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        return None
    return str(uuid.UUID(text))


def _key_part(table: Table, part: str) -> tuple[str, KeyValue]:
    name, equals, value = part.partition("=")
    column = table.properties.get(name.strip())
    if not equals or column is None:
        raise refusals.key_not_valid(table)
    return column.name, _key_value(table, column, value.strip())


def _key_value(table: Table, column: Column, text: str) -> KeyValue:
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        value = text[1:-1].replace("''", "'")
        bad = next((c for c in value if c in FORBIDDEN_IN_KEYS), None)
        if bad:
            raise refusals.dangerous_key(bad)
        if not value:
            raise refusals.key_not_valid(table)
        return value
    if column.type in ("string", "memo"):
        raise refusals.key_not_valid(table)
    if column.type in ("integer", "bigint", "choice", "state", "status") and re.fullmatch(
        r"-?\d+", text
    ):
        return int(text)
    if column.type in ("decimal", "double", "money") and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if column.type in ("lookup", "guid"):
        return guid(text) or text
    return text


def _split(text: str, separator: str) -> list[str]:
    if separator not in text:
        return [text]
    if "'" not in text:
        return text.split(separator)
    parts, quoted, start = [], False, 0
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
