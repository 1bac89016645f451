"""Requests and answers of sync's routes; no answer has a place for a secret."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from contracts.schema import WHOLE, Refused, Strict, Time, at_most
from kit.display_text import DisplayText
from services.sync.connection import (
    ConnectionState,
    Deletions,
    Missing,
    ModuleMapping,
    OutcomeState,
    Withdrawn,
)
from services.sync.family import circle


def _in_this_century(moment: datetime) -> datetime:
    """In UTC; what lies further away is a slip of the pen, and no time of a database."""
    if not 2000 <= moment.year < 2100:
        raise Refused("is not within this century")
    return moment.astimezone(UTC)


# The names of a CRM's tables and columns, and of our modules and fields.
Theirs = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Ours = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Ending = Annotated[AwareDatetime, Field(strict=False), AfterValidator(_in_this_century)]
Choices = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=200)],
        Annotated[int, Field(ge=-(2**31), lt=2**31), WHOLE],
    ],
    Field(max_length=500),
    at_most(500),
]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class LookupMapping(Strict):
    """Where the row lies that a field's value names by its key."""

    table: Theirs
    key_attribute: Theirs


class FieldMapping(Strict):
    """A column with what it needs beside its name.

    `choices` says which number a text of ours stands for, in a column of options; a value that it
    does not name is taken for a label or a number. `lookup` belongs to a column that refers to a
    row of another table.
    """

    column: Theirs
    choices: Choices = Field(default_factory=dict)
    lookup: LookupMapping | None = None


class Mapping(Strict):
    """One module of ours in a table of theirs (`table` is the entity set, e.g. accounts).

    A field goes into a column: its name, or an object that says more.

    `deletions` says what becomes of the CRM's row when its record is deleted here: it stays, goes,
    or is deactivated there. `withdrawn` says what becomes of a column whose field is not chosen or
    not mapped any more: it keeps its last value, or is cleared.
    """

    table: Theirs
    key_attribute: Theirs
    fields: Annotated[
        dict[Ours, Theirs | FieldMapping], Field(min_length=1, max_length=500), at_most(500)
    ]
    deletions: Deletions = "keep"
    withdrawn: Withdrawn = "keep"

    @model_validator(mode="after")
    def _writes_each_column_once(self) -> Self:
        columns = self.value().fields.values()
        if len(set(columns)) != len(columns):
            raise Refused("two fields go into the same column")
        if self.key_attribute in columns:
            raise Refused("the key column is filled from the record's key; no field may write it")
        return self

    def value(self) -> ModuleMapping:
        return ModuleMapping.stored(self.model_dump())


def _each_target_once(modules: dict[str, Mapping]) -> dict[str, Mapping]:
    if len({(one.table, one.key_attribute) for one in modules.values()}) != len(modules):
        raise Refused("two modules go into the same table by the same key")
    return modules


def _parents_before_children(modules: dict[str, Mapping]) -> dict[str, Mapping]:
    if around := circle({name: one.value() for name, one in modules.items()}):
        names = ", ".join(around)
        raise Refused(f"modules look each other up ({names}); map one direction")
    return modules


Name = Annotated[DisplayText, Field(min_length=1, max_length=100)]
Modules = Annotated[
    dict[Ours, Mapping],
    Field(min_length=1, max_length=50),
    at_most(50),
    AfterValidator(_each_target_once),
    AfterValidator(_parents_before_children),
]


class NewConnectionBase(Strict):
    """What a new connection is of, whatever kind its CRM is of.

    `missing` says what becomes of a record whose row was deleted in the CRM: the row is made again,
    the record is parked, or it is left alone.
    """

    name: Name
    client_secret: Secret
    secret_expires_at: Ending | None = None
    modules: Modules
    missing: Missing = "recreate"


class ConnectionChangeBase(Strict):
    """What changes of a connection; what is left out stays as it is."""

    name: Name | None = None
    modules: Modules | None = None
    missing: Missing | None = None


class Resync(Strict):
    """Which records: those of a module, or the one with a key in it; all, where nothing is said."""

    module: Ours | None = None
    key: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _says_of_which_module(self) -> Self:
        if self.key is not None and self.module is None:
            raise Refused("a key needs its module")
        return self


class ModuleComparison(BaseModel):
    """`ours` are the records that there are here, null where nothing of the module may leave;
    `outcomes` counts what became of those that were looked at, by state.

    Once all is sent, `ours` is the sum of all states but `removed`.
    """

    ours: int | None
    outcomes: dict[str, int]


class Comparison(BaseModel):
    """Each module that is chosen and mapped, or of which something was sent."""

    modules: dict[str, ModuleComparison]


class Resynced(BaseModel):
    """How many records will be sent again, whatever is known of them."""

    resynced: int


class ConnectionViewBase(BaseModel):
    """What is shown of a connection, whatever kind its CRM is of.

    `warnings` are sentences on what needs somebody soon; `schema_changes` says in words what has
    changed last in the CRM's mapped tables. While it is `forgetting` what it believed of rows that
    are not its own any more, nothing is sent.
    """

    id: UUID
    name: str
    state: ConnectionState
    reason: str
    modules: dict[str, Mapping]
    missing: Missing
    outcomes: dict[str, int]
    warnings: list[str]
    retry_at: Time | None
    forgetting: bool = False
    pushed_at: Time | None
    schema_changed_at: Time | None = None
    schema_changes: list[str] = Field(default_factory=list)
    created_at: Time


class StepView(BaseModel):
    """One thing that was looked at: why it is not well, or what there is to know of it."""

    step: str
    ok: bool
    reason: str
    note: str


class ProbeView(BaseModel):
    """What was looked at, in order; it ends at the first thing that is not well."""

    ok: bool
    steps: list[StepView]


class OutcomeView(BaseModel):
    """What became of one record; `detail` is the CRM's own text.

    `code` says the reason in words that stay; empty, where there is nothing to say.
    """

    record: UUID
    module: str
    key: str
    state: OutcomeState
    code: str
    reason: str
    detail: str
    attempts: int
    not_before: Time
    updated_at: Time


class OutcomePage(BaseModel):
    outcomes: list[OutcomeView]
    cursor: UUID | None


class LedgerLine(BaseModel):
    """One call that left; without `status` and `error` its outcome is unknown."""

    id: UUID
    at: Time
    host: str
    method: str
    operation: str
    table: str | None
    fields: list[str]
    rows: int
    request_bytes: int
    response_bytes: int | None
    status: int | None
    duration_ms: int | None
    error: str | None


class LedgerPage(BaseModel):
    calls: list[LedgerLine]
    cursor: UUID | None


class EgressAddresses(BaseModel):
    """The addresses that calls to customers' CRMs come from, for their firewalls."""

    addresses: list[str]
