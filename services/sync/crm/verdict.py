"""What a CRM's answer means for a row or a batch, in words that every kind shares; pure."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal
from uuid import UUID

RowForm = Literal["new", "known", "delete", "deactivate"]
"""How a row is written: see port.RowWrite."""


class Meaning(Enum):
    OK = auto()
    WAIT = auto()  # nothing more before wait_s has passed
    BACK_OFF = auto()  # the CRM cannot now: try again, later each time
    UNSEEN = auto()  # accepted, and not shown when it was asked for: try the row again
    RACED = auto()  # another writer was at the row: try the row again
    REJECTED = auto()  # park the row with its reason
    GONE = auto()  # the row that was to be changed is not there any more
    TAKEN = auto()  # another row of the CRM has this key
    DOUBTED = auto()  # the row's fault or the mapping's: what the CRM says of its table decides
    BROKEN = auto()  # the connection needs a person: credentials, privileges, mapping
    SPLIT = auto()  # the batch was refused as a whole: find the row


@dataclass(frozen=True)
class Verdict:
    """`reason` is our text; `detail` is the CRM's, which may quote record data.

    `code` names the reason for programs; `crm_id` is the CRM's own id of the row, where it is told.
    `tried` are the ids of the credentials that were refused, where that is what BROKEN means: it
    holds as long as the connection has no other one. `is_unsure` where what was sent may be carried
    out all the same, and late: no answer of the CRM's own has come. `is_elsewhere` where it is not
    about what was sent: nothing was, or the reason lies in the sign-in.
    """

    meaning: Meaning
    reason: str = ""
    wait_s: float = 0.0
    detail: str = field(default="", repr=False)
    code: str = ""
    crm_id: str | None = None
    tried: frozenset[UUID] = frozenset()
    is_unsure: bool = False
    is_elsewhere: bool = False
