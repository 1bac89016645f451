"""The writer of $batch bodies: upserts by alternate key, CRLF everywhere, key columns left out."""

import json
import re
from collections.abc import Sequence
from urllib.parse import quote
from uuid import uuid4

from services.sync.crm.dataverse.operations import API, UPSERT, documented
from services.sync.crm.port import Upsert

# Dataverse cannot address a row by a key value that holds one of these.
_FORBIDDEN = re.compile(r"[/<>*%&:\\?+\x00-\x1f\x7f]")
_KEY_LENGTH = 850


def key_problem(key: str) -> str | None:
    """Why Dataverse could not address a row by this key, or None."""
    if not key or key != key.strip():
        return "the record's key is empty or begins or ends with a space"
    if len(key.encode()) > _KEY_LENGTH:
        return "the record's key is too long for an alternate key"
    if _FORBIDDEN.search(key):
        return "the record's key holds one of / < > * % & : \\ ? + which Dataverse refuses in keys"
    return None


def batch(table: str, key_attribute: str, rows: Sequence[Upsert]) -> tuple[str, bytes]:
    """The content type and body of a $batch request with one PATCH per row, in order."""
    boundary = f"batch_{uuid4().hex}"
    lines: list[str] = []
    for row in rows:
        if key_attribute in row.values:
            raise ValueError("a key column may not stand in the body")
        lines += [
            f"--{boundary}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            f"PATCH {_address(table, key_attribute, row.key)} HTTP/1.1",
            "Content-Type: application/json",
            "",
            json.dumps(row.values, ensure_ascii=True, allow_nan=False),
        ]
    lines += [f"--{boundary}--", ""]
    return f"multipart/mixed; boundary={boundary}", "\r\n".join(lines).encode("ascii")


def _address(table: str, key_attribute: str, key: str) -> str:
    value = quote(key.replace("'", "''"), safe="'!$()*,;=@")
    return documented(UPSERT, f"{API}/{table}({key_attribute}='{value}')")
