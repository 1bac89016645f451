"""What the answers to one batch mean when they are seen together; pure.

What lies in the connection or the CRM never parks a row: an answer that all rows got alike is not
about a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.sync.crm import Outcome, Sent, Verdict

STOPPING = (Verdict.WAIT, Verdict.BROKEN)
_GRAVITY = (Verdict.BACK_OFF, Verdict.WAIT, Verdict.BROKEN)


@dataclass(frozen=True)
class Judgement:
    """`rows` are settled by their outcomes, one each; those that are stopped by `stop` stay due.

    With `halve` nothing is known of any row, and each half is sent by itself.
    """

    rows: Sequence[Outcome] = ()
    stop: Outcome | None = None
    halve: bool = False


def judge(sent: Sent, count: int) -> Judgement:
    """The judgement on a batch of `count` rows."""
    whole = sent.whole
    if whole is None:
        return _of_rows(sent.rows)
    if whole.verdict is Verdict.SPLIT:
        rejected = replace(whole, verdict=Verdict.DOUBTED)
        return Judgement(halve=True) if count > 1 else Judgement(rows=[rejected])
    return Judgement(stop=whole)


def gravest(stops: Sequence[Outcome]) -> Outcome:
    """BROKEN before the others, and of the waits the longest one."""
    return max(stops, key=lambda one: (_GRAVITY.index(one.verdict), one.wait_s))


def _of_rows(rows: Sequence[Outcome]) -> Judgement:
    stops = [one for one in rows if one.verdict in STOPPING]
    if not stops and all(one.verdict is Verdict.BACK_OFF for one in rows):
        return Judgement(stop=rows[0])
    return Judgement(rows, gravest(stops) if stops else None)
