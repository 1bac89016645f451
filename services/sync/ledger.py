"""The egress ledger: a line is written before each call and completed after it."""

from typing import Any
from uuid import UUID

from prometheus_client import Counter

from contracts.ids import new_id
from kit.db import Database
from services.sync.egress import Call
from services.sync.store import ledger

_CALLS = Counter("bulkhead_crm_calls", "Calls to CRMs by what they answered.", ["answer"])


class Ledger:
    """Names of fields and counts, never values; each line is committed on its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, call: Call, host: str) -> UUID:
        line: dict[str, Any] = {
            "id": new_id(),
            "tenant": call.tenant,
            "connection": call.connection,
            "host": host,
            "method": call.method,
            "operation": call.operation,
            "table_name": call.table,
            "fields": list(call.fields),
            "rows": call.rows,
            "request_bytes": len(call.body),
        }
        async with self._db.write() as session:
            await ledger.add(session, line)
        return UUID(str(line["id"]))

    async def end(
        self,
        line: UUID,
        *,
        status: int | None,
        response_bytes: int,
        duration_ms: int,
        error: str,
        has_left: bool,
    ) -> None:
        values: dict[str, Any] = {
            "status": status,
            "response_bytes": response_bytes,
            "duration_ms": duration_ms,
            "error": error or None,
        }
        if not has_left:
            values["request_bytes"] = 0
        _CALLS.labels(_answer(status)).inc()
        async with self._db.write() as session:
            await ledger.complete(session, line, values)


def _answer(status: int | None) -> str:
    """429 apart: it says that we ask too much; "none" where no answer came."""
    if status is None or status == 429:
        return "none" if status is None else "429"
    return f"{status // 100}xx"
