"""Faults switched on from outside: the ways in which the real Web API is known to fail."""

import itertools
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from sandbox.dataverse import refusals
from sandbox.dataverse.refusals import Refusal

FaultKind = Literal[
    "status",
    "part",
    "lost_reply",
    "apply_late",
    "half_reply",
    "slow",
    "hang",
    "drip",
    "refuse_row",
    "hide_row",
    "race",
]
FaultBody = Literal["html", "json", "foreign", "entra", "text", "empty"]
_OF_REQUESTS = {"status", "lost_reply", "apply_late", "half_reply", "slow", "hang", "drip"}


@dataclass
class Fault:
    """One fault. `times` counts down to its end; None lasts until it is removed.

    A request suffers a fault if its path contains `path` and its body contains `text`. With
    `for_s` the fault ends that many seconds after it was added, whatever is left of `times`.
    status: answer `status` (503) without doing the work, with one of the bodies (faulty.py).
    part: the same for single requests inside of a batch; `path` and `text` are those of the part.
    lost_reply: do the work, then close the connection; half_reply: after half of the body.
    apply_late: close the connection, and do the work when `POST late` says so.
    slow: wait `seconds` before the work. hang: never answer. drip: one byte each `seconds`.
    refuse_row: refuse writes (400, code of a plug-in) that leave `column` of a row in `table`
    equal to `value`.
    hide_row: leave such rows out of lists, as if the user may not read them.
    race: another writer creates the row between lookup and create of the matching upsert.
    `retry_after` is sent as it stands, on any status; `retry_after_s` is the usual form.
    """

    kind: FaultKind
    times: int | None = 1
    path: str = "/api/data/"
    text: str = ""
    status: int | None = None
    body: FaultBody = "html"
    code: str = ""
    message: str = ""
    retry_after_s: int | None = None
    retry_after: str | None = None
    for_s: float | None = None
    seconds: float = 0.0
    table: str = ""
    column: str = ""
    value: Any = None
    id: int = 0
    ends_at: float | None = None

    def matches_row(self, table: str, values: dict[str, Any]) -> bool:
        return self.table == table and (not self.column or values.get(self.column) == self.value)

    def matches(self, path: str, body: bytes) -> bool:
        return self.path in path and self.text.encode() in body


class Faults:
    """The faults that wait to happen, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, fault: Fault) -> Fault:
        if fault.kind not in get_args(FaultKind):
            raise ValueError(f"there is no fault of kind {fault.kind!r}")
        if fault.body not in get_args(FaultBody):
            raise ValueError(f"there is no body of kind {fault.body!r}")
        fault.id = next(self._ids)
        fault.ends_at = time.monotonic() + fault.for_s if fault.for_s is not None else None
        self._faults.append(fault)
        return fault

    def listing(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._waiting()]

    @property
    def are_waiting(self) -> bool:
        return bool(self._faults)

    def remove(self, fault_id: int) -> None:
        self._faults = [fault for fault in self._faults if fault.id != fault_id]

    def clear(self) -> None:
        self._faults.clear()

    def take_for_request(self, path: str, body: bytes) -> Fault | None:
        """The fault that this whole request shall suffer, if any; counts it."""
        for fault in self._waiting():
            if fault.kind in _OF_REQUESTS and fault.matches(path, body):
                return self._counted(fault)
        return None

    def take_for_part(self, path: str, body: bytes) -> Fault | None:
        """The fault that one request inside of a batch shall suffer, if any; counts it."""
        for fault in self._waiting():
            if fault.kind == "part" and fault.matches(path, body):
                return self._counted(fault)
        return None

    def check_row(self, table: str, values: dict[str, Any]) -> None:
        """A plug-in of the customer may refuse the row, in the customer's own words."""
        for fault in self._waiting():
            if fault.kind == "refuse_row" and fault.matches_row(table, values):
                self._counted(fault)
                raise plug_in_refusal(fault)

    def hides(self, table: str, values: dict[str, Any]) -> bool:
        """Whether a list leaves the row out: whoever may write it need not be able to read it."""
        for fault in self._waiting():
            if fault.kind == "hide_row" and fault.matches_row(table, values):
                self._counted(fault)
                return True
        return False

    def take_race(self, table: str, values: dict[str, Any]) -> bool:
        for fault in self._waiting():
            if fault.kind == "race" and fault.matches_row(table, values):
                self._counted(fault)
                return True
        return False

    def _waiting(self) -> list[Fault]:
        if any(fault.ends_at is not None for fault in self._faults):
            now = time.monotonic()
            self._faults = [f for f in self._faults if f.ends_at is None or f.ends_at > now]
        return self._faults

    def _counted(self, fault: Fault) -> Fault:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.remove(fault.id)
        return fault


def plug_in_refusal(fault: Fault) -> refusals.Refusal:
    message = fault.message or "This row is not welcome here."
    return Refusal(fault.status or 400, fault.code or "0x80040265", message)
