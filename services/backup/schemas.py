"""What the backup routes take and answer."""

from typing import Literal, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping

from contracts.ids import BackupId
from contracts.schema import Strict, Time
from kit import clock

_COLUMNS = {"id": "backup", "at": "taken_at", "size": "size_bytes", "rows": "row_count"}


class BackupView(Strict):
    """A backup of the tenant, of the moment `at`; `size` is in bytes as stored.

    `proved` says how far: read back whole from the vault, or restored and compared row by row.
    `broken` was found altered or cut, `missing` is not in the vault any more; neither can be
    restored. `at` is null where it is unknown: not taken yet, or stamped in the future.
    The cause `found` is of a backup that only the vault knew of.
    """

    id: UUID
    state: Literal["queued", "running", "verified", "failed", "expired", "broken", "missing"]
    cause: Literal["demand", "schedule", "found"]
    reason: str | None
    requested_at: Time
    started_at: Time | None
    finished_at: Time | None
    at: Time | None
    size: int | None
    rows: int | None
    proved: Literal["archive", "restored"] | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        members = {name: row[_COLUMNS.get(name, name)] for name in cls.model_fields}
        if members["at"] is not None and members["at"] > clock.now():
            members["at"] = None
        return cls(**members)


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
    state: Literal["planned", "queued", "running", "swapping", "completed", "failed", "expired"]
    reason: str | None
    plan: RestorePlan
    planned_at: Time
    started_at: Time | None
    finished_at: Time | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        members = {name: row[name] for name in cls.model_fields if name not in ("id", "plan")}
        plan = RestorePlan.model_validate(row["plan"], strict=False)
        return cls(id=row["restore"], plan=plan, **members)


class RestoreList(Strict):
    """The newest restores, newest first."""

    restores: list[Restore]
