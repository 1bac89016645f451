"""What the backup routes take and answer."""

from typing import Self
from uuid import UUID

from pydantic import Field

from contracts.ids import BackupId
from contracts.schema import Strict, Time
from kit import clock
from services.backup.store.backups import BackupRow, BackupState, Cause
from services.backup.store.restores import RestoreRow, RestoreState
from services.backup.vault.manifest import Proof


class BackupView(Strict):
    """A backup of the tenant, of the moment `at`; `size` is in bytes as stored.

    `proved` says how far: read back whole from the vault, or restored and compared row by row.
    `broken` was found altered or cut, `missing` is not in the vault any more; neither can be
    restored. `at` is null where it is unknown: not taken yet, or stamped in the future.
    The cause `found` is of a backup that only the vault knew of.
    """

    id: UUID
    state: BackupState
    cause: Cause
    reason: str | None
    requested_at: Time
    started_at: Time | None
    finished_at: Time | None
    at: Time | None
    size: int | None
    rows: int | None
    proved: Proof | None

    @classmethod
    def of(cls, row: BackupRow) -> Self:
        at = row.taken_at
        return cls(
            id=row.backup,
            state=row.state,
            cause=row.cause,
            reason=row.reason,
            requested_at=row.requested_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
            at=at if at is not None and at <= clock.now() else None,
            size=row.size_bytes,
            rows=row.row_count,
            proved=row.proved,
        )


class BackupList(Strict):
    """The newest backups, newest first."""

    backups: list[BackupView]


class RestoreRequest(Strict):
    """Which backup to go back to."""

    backup: BackupId = Field(strict=False)


class TablePlan(Strict):
    """Rows of one table in the backup and at present; null where there is no such table."""

    table: str
    rows_then: int | None
    rows_now: int | None


class RestorePlan(Strict):
    """What a restore would do: everything after `taken_at` is set aside."""

    taken_at: Time
    size_bytes: int
    rows_then: int
    rows_now: int
    tables: list[TablePlan]


class Restore(Strict):
    """A restore from plan to end; `reason` says why it failed, and then nothing was changed.

    A plan that nobody executed in time is expired.
    """

    id: UUID
    backup: UUID
    state: RestoreState
    reason: str | None
    plan: RestorePlan
    planned_at: Time
    started_at: Time | None
    finished_at: Time | None

    @classmethod
    def of(cls, row: RestoreRow) -> Self:
        return cls(
            id=row.restore,
            backup=row.backup,
            state=row.state,
            reason=row.reason,
            plan=RestorePlan.model_validate(row.plan, strict=False),
            planned_at=row.planned_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )


class RestoreList(Strict):
    """The newest restores, newest first."""

    restores: list[Restore]
