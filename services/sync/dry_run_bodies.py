"""What is asked of a dry run, and what it answers; no answer has a place for a value."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.schema import WHOLE, Strict
from services.sync.schemas import Ours


class DryRunWanted(Strict):
    """Of which module, or of all; at most so many records of each are looked at."""

    module: Ours | None = None
    limit: Annotated[int, Field(ge=1, le=500), WHOLE] = 100


class DryRunRow(BaseModel):
    """What would become of one record; `columns` are those that would be written, or is the one
    whose value is refused. A record that is gone has the key that it was last read with."""

    record: UUID
    key: str
    would: Literal["create", "change", "delete", "deactivate", "refuse"]
    columns: list[str]
    reason: str


class DryRunModule(BaseModel):
    """Counts over the records that were looked at, and the first rows of each sort. `delete` and
    `deactivate` count records that are gone here, whose rows go by the module's policy.

    Where there are `faults` the mapping cannot work, and no record was looked at.
    """

    module: str
    faults: list[str] = Field(default_factory=list)
    create: int = 0
    change: int = 0
    unchanged: int = 0
    delete: int = 0
    deactivate: int = 0
    refuse: int = 0
    rows: list[DryRunRow] = Field(default_factory=list)


class DryRunView(BaseModel):
    """What a push would do with what waits at this moment, module by module."""

    modules: list[DryRunModule]
