"""The bodies of writes: $batch with one part per row, CRLF everywhere, and the bulk actions.

The columns of the key stand in the address alone: in the body of a row that is made, Dataverse
would take them from there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from services.sync.connection import ModuleMapping
from services.sync.crm.dataverse.operations import (
    API,
    DELETE,
    FIND,
    UPDATE,
    UPSERT,
    Operation,
    documented,
)
from services.sync.crm.dataverse.tables import TableFacts
from services.sync.crm.port import RowWrite

_AT_ONCE, _LONGEST = 100, 32_768  # values in one look: an address of a part may have 64 KiB
_KEY_SAFE = "'!$()*,;=@"
_ACTIVE, _INACTIVE = {"statecode": 0}, {"statecode": 1}
_OF_PART = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]


def batch(mapping: ModuleMapping, facts: TableFacts, rows: Sequence[RowWrite]) -> tuple[str, bytes]:
    """Content type and body of a $batch with one part per row, in order."""
    return _multipart(_part(mapping, facts, row) for row in rows)


def finding(
    mapping: ModuleMapping, facts: TableFacts, column: str, values: Sequence[str]
) -> tuple[str, bytes, int]:
    """A $batch that asks for id and key of the rows with one of these values in this column, and
    how many parts it has."""
    quoted = ["'" + quote(one.replace("'", "''"), safe="'!$();=@") + "'" for one in values]
    looks = [_look(mapping, facts, column, group) for group in _groups(quoted)]
    return *_multipart(_request("GET", FIND, look) for look in looks), len(looks)


def _groups(quoted: Sequence[str]) -> Iterator[list[str]]:
    """Few enough for one address, however many bytes each of them takes."""
    group, length = list[str](), 0
    for one in quoted:
        if group and (len(group) == _AT_ONCE or length + len(one) > _LONGEST):
            yield group
            group, length = [], 0
        group.append(one)
        length += len(one) + 1
    if group:
        yield group


def upsert_multiple(mapping: ModuleMapping, facts: TableFacts, rows: Sequence[RowWrite]) -> bytes:
    """New rows, addressed by their keys; none may stand twice."""
    return _targets(
        {
            "@odata.type": facts.type_name,
            "@odata.id": _by_key(mapping, row.key, quoted=False),
            **_values(mapping, row),
        }
        for row in rows
    )


def update_multiple(mapping: ModuleMapping, facts: TableFacts, rows: Sequence[RowWrite]) -> bytes:
    """Known rows; of two with one id the second would be ignored without a word."""
    return _targets(
        {"@odata.type": facts.type_name, facts.primary_id: row.crm_id, **_values(mapping, row)}
        for row in rows
    )


def _targets(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return _json({"Targets": list(rows)}).encode("ascii")


def _values(mapping: ModuleMapping, row: RowWrite) -> dict[str, Any]:
    if row.form == "new" and mapping.key_attribute in row.values:
        raise ValueError("a key column may not stand in the body")
    state = _INACTIVE if row.form == "deactivate" else _ACTIVE if row.revives else {}
    return {**row.values, **state}


def _part(mapping: ModuleMapping, facts: TableFacts, row: RowWrite) -> list[str]:
    if row.form == "delete":
        return _request("DELETE", DELETE, _by_id(mapping, row.crm_id))
    body = _json(_values(mapping, row))
    if row.form == "new":
        path = f"{_by_key(mapping, row.key)}?$select={facts.primary_id}"
        return _request("PATCH", UPSERT, path, ["Prefer: return=representation"], body)
    return _request("PATCH", UPDATE, _by_id(mapping, row.crm_id), ["If-Match: *"], body)


def _request(
    method: str, operation: Operation, path: str, headers: Sequence[str] = (), body: str = ""
) -> list[str]:
    typed = ["Content-Type: application/json"] if body else ["Accept: application/json"]
    line = f"{method} {documented(operation, f'{API}/{path}')} HTTP/1.1"
    return [*_OF_PART, line, *typed, *headers, "", body]


def _by_key(mapping: ModuleMapping, key: str, *, quoted: bool = True) -> str:
    value = key.replace("'", "''")
    value = quote(value, safe=_KEY_SAFE) if quoted else value
    return f"{mapping.table}({mapping.key_attribute}='{value}')"


def _by_id(mapping: ModuleMapping, crm_id: str) -> str:
    return f"{mapping.table}({crm_id})"


def _look(mapping: ModuleMapping, facts: TableFacts, column: str, quoted: Sequence[str]) -> str:
    return (
        f"{mapping.table}?$select={facts.primary_id},{mapping.key_attribute}&$filter="
        f"Microsoft.Dynamics.CRM.In(PropertyName='{column}',PropertyValues=[{','.join(quoted)}])"
    )


def _multipart(parts: Iterable[list[str]]) -> tuple[str, bytes]:
    boundary = f"batch_{uuid4().hex}"
    lines = [line for part in parts for line in (f"--{boundary}", *part)]
    text = "\r\n".join([*lines, f"--{boundary}--", ""])
    return f"multipart/mixed; boundary={boundary}", text.encode("ascii")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
