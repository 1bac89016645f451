"""Rows at which a CRM failed as in an outage, set aside until something tells the two apart; pure.

What tells is that the CRM answers: for another row, or, where there is none, when it is asked for
its description of the table. Many rows in a row that fail alike are an outage of writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.sync.crm import Meaning, Verdict
from services.sync.push.batches import FEW
from services.sync.push.plan import Item

_MOST = 5 * FEW  # rows, until the CRM has to answer for another one


@dataclass(frozen=True)
class Suspect:
    """A row and what it was answered."""

    item: Item
    verdict: Verdict


class Suspects:
    """Those since the CRM has answered for a row the last time."""

    def __init__(self) -> None:
        self._rows: list[Suspect] = []

    def may_take(self, items: Sequence[Item], verdict: Verdict) -> bool:
        """Whether the rows of one call, which were all answered so, can be suspected at all."""
        is_small = len(items) <= FEW and len(self._rows) + len(items) <= _MOST
        is_about_them = verdict.meaning is Meaning.BACK_OFF and not verdict.is_elsewhere
        return is_about_them and is_small

    def take(self, items: Sequence[Item], verdict: Verdict) -> None:
        self._rows += [Suspect(item, verdict) for item in items]

    def let_go(self) -> list[Suspect]:
        """All of them: from now on none is suspected."""
        rows, self._rows = self._rows, []
        return rows

    def outage(self) -> Verdict | None:
        """Why nothing can be sent, where so many failed and the CRM answered for no other row."""
        return self._rows[0].verdict if len(self._rows) > FEW else None


def at_this_row(verdict: Verdict) -> Verdict:
    """BACK_OFF that holds for a row alone: the CRM answers otherwise."""
    is_told = verdict.meaning is not Meaning.BACK_OFF or verdict.code
    return verdict if is_told else failed(verdict)


def failed(verdict: Verdict) -> Verdict:
    """Also where the CRM has stopped before a row that was alone: at this one, then."""
    return replace(verdict, reason=f"{verdict.reason} at this row", code="failed")
