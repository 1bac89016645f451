"""What the internal routes of tenants take and give: the service and its client read it here.

What is taken is checked strictly; of what is given, members that a newer peer adds are ignored.
"""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)

from contracts.ids import LeaseId, RestoreId
from contracts.schema import Refused, Strict, Time, at_most

_DatabaseName = Annotated[str, Field(max_length=63)]
_Restore = Annotated[RestoreId, Field(strict=False)]
_Name = Annotated[str, Field(min_length=1, max_length=63)]
_Names = Annotated[list[_Name], Field(max_length=500), FailFast()]
# on purpose: a lease is the one answer that carries a secret, and this is its one way
_Told = Annotated[
    SecretStr, PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json")
]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class TenantEntry(_Answer):
    """A tenant as the directory knows it."""

    id: UUID
    state: Literal["active", "suspended"]


class TenantEntries(_Answer):
    """All tenants that are complete, oldest first."""

    tenants: list[TenantEntry]


class ChangedRecord(_Answer):
    """That a record has changed, or is gone; its values are read by PresentRecords."""

    id: UUID
    module: str
    key: str | None
    op: Literal["upsert", "delete"]
    version: int


class ChangePage(_Answer):
    """Changes after a position.

    `position` goes into the next call; `more` is False at the end; `reset` is True where the
    given position was of another chain (or absent) and the page is of all present records.
    """

    position: str
    more: bool
    reset: bool
    rows: list[ChangedRecord]


class RecordsAsked(Strict):
    """Records of a module whose present values a connection asks for."""

    module: Annotated[str, Field(max_length=63)]
    ids: Annotated[list[Annotated[UUID, Field(strict=False)]], Field(max_length=5_000), FailFast()]


class PresentRecord(_Answer):
    """A record with its present values of the chosen fields only."""

    id: UUID
    module: str
    key: str | None
    version: int
    fields: dict[str, Any]


class PresentRecords(_Answer):
    """Those of the asked records that exist, of one moment.

    Where the module is `chosen`, a record that is absent is gone. Where it is not, nothing of it
    may leave, and that a record is absent says nothing. A peer of before this member leaves it out:
    then only a row proves it.
    """

    rows: list[PresentRecord]
    chosen: bool = Field(default_factory=lambda given: bool(given.get("rows")))


class RecordCounts(_Answer):
    """How many records there are, of each module that is open to the connection."""

    modules: dict[str, int]


class MappedModules(Strict):
    """The modules that a connection maps, each with the fields that it maps: the most that may be
    chosen for it."""

    modules: Annotated[dict[_Name, _Names], Field(max_length=50), at_most(50)]


class NewLease(Strict):
    """A dump lease reads the tenant's database; a restore lease writes one restore target."""

    purpose: Literal["dump", "restore"]
    target: _DatabaseName | None = None

    @model_validator(mode="after")
    def _target_goes_with_restore(self) -> Self:
        if (self.target is None) == (self.purpose == "restore"):
            raise Refused("a target belongs to a restore, and only to that")
        return self


class Lease(_Answer):
    """A login made for one tenant and purpose, until `ends_at`; its password is told this once."""

    lease: LeaseId
    host: str
    port: int
    database: str
    user: str
    password: _Told
    owner: str
    ends_at: Time


class NewTarget(Strict):
    """The restore that an empty database is for."""

    restore: _Restore


class TargetName(_Answer):
    """The name of the restore's database."""

    database: str


class Swap(Strict):
    """The restored database that is to take the tenant's place."""

    restore: _Restore
    database: _DatabaseName
