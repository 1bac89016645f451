"""What is asked and answered where a customer watches and repairs: counts, retries, runs."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from contracts.schema import Refused, Strict, Time
from services.sync.connection import OutcomeState, RunState, RunWhy
from services.sync.reasons import ReasonCode
from services.sync.schemas import Ours


class OutcomeCountView(BaseModel):
    module: str
    state: OutcomeState
    code: str
    rows: int


class OutcomeSummary(BaseModel):
    """All records of the connection, counted."""

    counts: list[OutcomeCountView]


class Retry(Strict):
    """Which records: one, those with a reason, of a module, with both, or all."""

    record: Annotated[UUID | None, Field(strict=False)] = None
    code: Annotated[ReasonCode | None, Field(strict=False)] = None
    module: Ours | None = None
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        some = self.code is not None or self.module is not None
        if [self.record is not None, some, self.all is not None].count(True) != 1:
            raise Refused("say one of: record; code, module or both; all")
        return self


class Retried(BaseModel):
    """How many records are tried again."""

    retried: int


class RunView(BaseModel):
    """A push that had something to do, or was asked for.

    `due` records could be sent when it began, or fell due since, each counted once. What became of
    them is counted each time: they were `sent`, needed no call (`unchanged`), wait for somebody
    (`parked`) or for another attempt (`retried`). `seconds_left` is an estimate; null, where
    nothing can be said. `times` counts failures in a row that are told as one.
    """

    id: UUID
    why: RunWhy
    state: RunState
    reason: str
    asked_at: Time
    started_at: Time | None
    seen_at: Time | None
    ended_at: Time | None
    due: int
    sent: int
    unchanged: int
    parked: int
    retried: int
    rows_per_s: float | None
    seconds_left: int | None
    times: int


class RunPage(BaseModel):
    runs: list[RunView]
    cursor: UUID | None


AnswerClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx", "none"]
