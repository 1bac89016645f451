"""What the answers to one batch mean when they are seen together; pure.

What lies in the connection or the CRM never parks a row: an answer that all rows got alike is not
about a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.sync.crm import Meaning, Sent, Verdict

STOPPING = (Meaning.WAIT, Meaning.BROKEN)
_GRAVITY = (Meaning.BACK_OFF, Meaning.WAIT, Meaning.BROKEN)


@dataclass(frozen=True)
class Judgement:
    """`rows` are settled by their verdicts, one each; those that are stopped by `stop` stay due.

    With `halve` nothing is known of any row, and each half is sent by itself.
    """

    rows: Sequence[Verdict] = ()
    stop: Verdict | None = None
    halve: bool = False


def judge(sent: Sent, count: int) -> Judgement:
    """The judgement on a batch of `count` rows."""
    whole = sent.whole
    if whole is None:
        return _of_rows(sent.rows)
    if whole.meaning is Meaning.SPLIT:
        rejected = replace(whole, meaning=Meaning.DOUBTED)
        return Judgement(halve=True) if count > 1 else Judgement(rows=[rejected])
    return Judgement(stop=whole)


def gravest(stops: Sequence[Verdict]) -> Verdict:
    """BROKEN before the others, and of the waits the longest one."""
    return max(stops, key=lambda one: (_GRAVITY.index(one.meaning), one.wait_s))


def _of_rows(rows: Sequence[Verdict]) -> Judgement:
    stops = [one for one in rows if one.meaning in STOPPING]
    if not stops and all(one.meaning is Meaning.BACK_OFF for one in rows):
        return Judgement(stop=rows[0])
    return Judgement(rows, gravest(stops) if stops else None)
