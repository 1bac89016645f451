"""Rows as the answers that tenants see."""

from collections.abc import Sequence
from uuid import UUID

from contracts.ids import TenantId
from services.sync.crm import Probe
from services.sync.schemas import (
    LedgerLine,
    LedgerPage,
    OutcomePage,
    OutcomeView,
    ProbeView,
    StepView,
)
from services.sync.store.ledger import LedgerRow
from services.sync.store.outgoing import OutcomeRow
from services.sync.tenant_keys import TenantKeys


def probe(found: Probe) -> ProbeView:
    steps = [
        StepView(step=one.step, ok=not one.reason, reason=one.reason, note=one.note)
        for one in found.steps
    ]
    return ProbeView(ok=found.failed is None, steps=steps)


async def outcomes(
    tenant: TenantId, rows: Sequence[OutcomeRow], limit: int, keyring: TenantKeys
) -> OutcomePage:
    views = [_outcome(row, await _detail(tenant, row, keyring)) for row in rows]
    return OutcomePage(outcomes=views, cursor=_cursor([row.record for row in rows], limit))


def _outcome(row: OutcomeRow, detail: str) -> OutcomeView:
    return OutcomeView(
        record=row.record,
        module=row.module,
        key=row.key,
        state=row.state,
        reason=row.reason,
        detail=detail,
        attempts=row.attempts,
        not_before=row.not_before,
        updated_at=row.updated_at,
    )


async def _detail(tenant: TenantId, row: OutcomeRow, keyring: TenantKeys) -> str:
    if row.detail is None:
        return ""
    slot, version = f"detail {row.record}", int.from_bytes(row.detail[:4], "big")
    return await keyring.open(tenant, row.connection, slot, version, row.detail[4:])


def ledger(rows: Sequence[LedgerRow], limit: int) -> LedgerPage:
    lines = [_line(row) for row in rows]
    return LedgerPage(calls=lines, cursor=_cursor([row.id for row in rows], limit))


def _line(row: LedgerRow) -> LedgerLine:
    return LedgerLine(
        id=row.id,
        at=row.at,
        host=row.host,
        method=row.method,
        operation=row.operation,
        table=row.table_name,
        fields=list(row.fields),
        rows=row.rows,
        request_bytes=row.request_bytes,
        response_bytes=row.response_bytes,
        status=row.status,
        duration_ms=row.duration_ms,
        error=row.error,
    )


def _cursor(ids: Sequence[UUID], limit: int) -> UUID | None:
    """Where the next page begins; None where this page was not full."""
    return ids[-1] if len(ids) == limit else None
