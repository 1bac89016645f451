"""What the backup routes take and answer."""

from typing import Literal, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping

from contracts.schema import Strict, Time

_COLUMNS = {"id": "snapshot", "at": "taken_at", "size": "size_bytes", "rows": "row_count"}


class Snapshot(Strict):
    """A backup of the tenant, of the moment `at`; `size` is in bytes as stored.

    `proved` says how far: read back whole from the vault, or restored and compared row by row.
    """

    id: UUID
    state: Literal["queued", "running", "verified", "failed", "expired"]
    cause: Literal["demand", "schedule"]
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
        return cls(**members)


class Snapshots(Strict):
    """The newest backups, newest first."""

    backups: list[Snapshot]


class RestoreRequest(Strict):
    """Which backup to go back to."""

    snapshot: UUID = Field(strict=False)


class TablePlan(Strict):
    """Rows of one table in the backup and at present; null where there is no such table."""

    table: str
    rows_then: int | None
    rows_now: int | None


class Plan(Strict):
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
    snapshot: UUID
    state: Literal["planned", "queued", "running", "swapping", "completed", "failed", "expired"]
    reason: str | None
    plan: Plan
    planned_at: Time
    started_at: Time | None
    finished_at: Time | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        members = {name: row[name] for name in cls.model_fields if name not in ("id", "plan")}
        plan = Plan.model_validate(row["plan"], strict=False)
        return cls(id=row["restore"], plan=plan, **members)


class RestoreList(Strict):
    """The newest restores, newest first."""

    restores: list[Restore]
