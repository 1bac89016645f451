"""Rows as the answers that tenants see."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from contracts.ids import ConnectionId, TenantId
from services.sync.crm import ConnectionView, Probe
from services.sync.schemas import (
    LedgerLine,
    LedgerPage,
    OutcomePage,
    OutcomeView,
    ProbeView,
    StepView,
)
from services.sync.tenant_keys import TenantKeys

_COPIED = ("id", "name", "kind", "state", "reason", "modules")
_TIMES = ("retry_at", "pushed_at", "created_at")


def connection(row: RowMapping, outcomes: Mapping[str, int]) -> ConnectionView:
    return ConnectionView(
        **{name: row[name] for name in (*_COPIED, *_TIMES)},
        **row["address"],
        outcomes=dict(outcomes),
    )


def probe(found: Probe) -> ProbeView:
    steps = [StepView(step=one.step, ok=not one.reason, reason=one.reason) for one in found.steps]
    return ProbeView(ok=found.failed is None, steps=steps)


async def outcomes(
    tenant: TenantId, rows: Sequence[RowMapping], limit: int, keyring: TenantKeys
) -> OutcomePage:
    views = [
        OutcomeView(
            **{name: row[name] for name in OutcomeView.model_fields if name != "detail"},
            detail=await _detail(tenant, row, keyring),
        )
        for row in rows
    ]
    return OutcomePage(outcomes=views, cursor=_cursor(rows, "record", limit))


async def _detail(tenant: TenantId, row: RowMapping, keyring: TenantKeys) -> str:
    if row["detail"] is None:
        return ""
    slot, version = f"detail {row['record']}", int.from_bytes(row["detail"][:4], "big")
    id_ = ConnectionId(row["connection"])
    return await keyring.open(tenant, id_, slot, version, row["detail"][4:])


def ledger(rows: Sequence[RowMapping], limit: int) -> LedgerPage:
    lines = [
        LedgerLine(
            **{name: row[name] for name in LedgerLine.model_fields if name != "table"},
            table=row["table_name"],
        )
        for row in rows
    ]
    return LedgerPage(calls=lines, cursor=_cursor(rows, "id", limit))


def _cursor(rows: Sequence[RowMapping], column: str, limit: int) -> UUID | None:
    """Where the next page begins; None where this page was not full."""
    value: Any = rows[-1][column] if len(rows) == limit else None
    return None if value is None else UUID(str(value))
