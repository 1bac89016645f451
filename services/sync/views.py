"""Rows as the answers that tenants see."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
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
from services.sync.store.outcomes import OutcomeCount, OutcomeRow
from services.sync.store.runs import RunRow
from services.sync.tenant_keys import TenantKeys
from services.sync.watching_bodies import OutcomeCountView, OutcomeSummary, RunPage, RunView


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
        code=row.code,
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


def summary(counts: Sequence[OutcomeCount]) -> OutcomeSummary:
    return OutcomeSummary(counts=[OutcomeCountView(**asdict(one)) for one in counts])


def runs(rows: Sequence[RunRow], limit: int, now: datetime) -> RunPage:
    found = [run(row, now) for row in rows]
    return RunPage(runs=found, cursor=_cursor([row.id for row in rows], limit))


def run(row: RunRow, now: datetime) -> RunView:
    """A row that waits for another attempt is not done; one that came meanwhile makes no promise:
    nobody is told that all is done while it is not."""
    done, rate = row.sent + row.unchanged + row.parked, None
    if row.started_at is not None:
        elapsed_s = ((row.ended_at or now) - row.started_at).total_seconds()
        rate = done / elapsed_s if elapsed_s > 0 else None
    left_s = None
    if row.state == "running" and rate and done < row.due:
        left_s = round((row.due - done) / rate)
    shown = None if rate is None else round(rate, 1)
    return RunView(**asdict(row), rows_per_s=shown, seconds_left=left_s)


def ledger(rows: Sequence[LedgerRow], limit: int) -> LedgerPage:
    lines = [ledger_line(row) for row in rows]
    return LedgerPage(calls=lines, cursor=_cursor([row.id for row in rows], limit))


def ledger_line(row: LedgerRow) -> LedgerLine:
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
