"""What the routes of records take and give; record JSON itself is made by PostgreSQL."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import FailFast, Field

from contracts.schema import Strict, Time

Id = Annotated[UUID, Field(strict=False)]
Key = Annotated[str, Field(max_length=200)]


class Ownership(Strict):
    """Who a record belongs to; absent on creation, `responsible` is the caller."""

    responsible: Id | None = None
    second_responsible: Id | None = None
    team: Id | None = None
    territory: Id | None = None


class NewRecord(Ownership):
    """A record to create; with a key field in the module, key and field complete each other."""

    key: Key | None = None
    fields: dict[str, Any]


class RecordChange(Ownership):
    """Only what is named changes; null clears."""

    key: Key | None = None
    fields: dict[str, Any] = Field(default_factory=dict)


class RecordView(Ownership):
    """A record; its entity tag is the ETag header of a single read or write."""

    id: Id
    module: str
    key: str | None
    fields: dict[str, str | int | bool]
    version: int
    created_at: Time
    updated_at: Time


class RecordPage(Strict):
    """Records in the asked order; `next_cursor` is null on the last page."""

    records: list[RecordView]
    next_cursor: str | None


class FailedRow(Strict):
    """A row that was left out: its line in the body, where in the row, and why."""

    line: int
    pointer: str
    message: str


class BulkOutcome(Strict):
    """What a bulk upsert or import did; `failed` has at most a thousand entries."""

    created: int
    updated: int
    unchanged: int
    failed: list[FailedRow]
    failed_lines: int


class BulkDelete(Strict):
    """Records to delete."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=10_000), FailFast()]


class FailedId(Strict):
    """An id that was left out: its place in the body, and why."""

    pointer: str
    message: str


class DeleteOutcome(Strict):
    """What a bulk delete did; `failed` has at most a thousand entries."""

    deleted: int
    failed: list[FailedId]


class FieldView(Strict):
    """A typed field of a module."""

    field: str
    label: str
    kind: str
    required: bool
    max_length: int


class ModuleView(Strict):
    """A module that the caller may view."""

    module: str
    label: str
    key_field: str | None
    fields: list[FieldView]


class ModuleList(Strict):
    """The modules that the caller may view."""

    modules: list[ModuleView]


class FieldChoice(Strict):
    """The fields of a module that may leave over a connection; none: nothing of it leaves."""

    fields: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=500), FailFast()]


class ChangedRow(Strict):
    """A record as it is now, or that it is gone."""

    id: Id
    module: str
    key: str | None
    op: Literal["upsert", "delete"]
    version: int
    fields: dict[str, Any]


class ChangeList(Strict):
    """A page of a feed; `position` goes into the next call, at once where there is `more`."""

    position: str
    more: bool
    reset: bool
    rows: list[ChangedRow]
