"""What became of a row or a batch at a CRM, in words that every kind of CRM shares; pure."""

from dataclasses import dataclass, field
from enum import Enum, auto


class Verdict(Enum):
    OK = auto()
    WAIT = auto()  # nothing more before wait_s has passed
    BACK_OFF = auto()  # try the current row again, later each time
    REJECTED = auto()  # park the row with its reason
    BROKEN = auto()  # the connection needs a person: credentials, privileges, mapping
    SPLIT = auto()  # the batch was refused as a whole: find the row


@dataclass(frozen=True)
class Outcome:
    """`reason` is our text; `detail` is the CRM's, which may quote record data."""

    verdict: Verdict
    reason: str = ""
    wait_s: float = 0.0
    detail: str = field(default="", repr=False)
