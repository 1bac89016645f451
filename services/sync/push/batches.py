"""How many rows go into one call, and how many calls at once: as many as a CRM takes; pure."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

from services.sync.connection import CrmKey
from services.sync.crm import RowForm
from services.sync.push.plan import Item

_FORMS: tuple[RowForm, ...] = ("new", "known", "deactivate", "delete")
_REMEMBERED = 10_000
FEW = 4  # rows: so few are told of one by one, and say together whether one of them is at fault
_Key = TypeVar("_Key", bound=Hashable)
_Pace = TypeVar("_Pace")


class BatchSize:
    """Between one and `most`; it begins with `first`."""

    def __init__(self, first: int, most: int) -> None:
        self.now, self._most = min(first, most), most

    def grow(self, sent: int) -> None:
        """A batch of so many rows was accepted whole: a full one tells that more may go."""
        if sent >= self.now:
            self.now = min(self.now * 2, self._most)

    def shrink(self, least: int = 1) -> None:
        """A batch was too much, or one of its rows was the fault of all; not below `least`."""
        self.now = min(self.now, max(least, self.now // 4))


class Width:
    """How many batches go at once: what the CRM recommends, less after it has asked us to wait."""

    def __init__(self, most: int) -> None:
        self._allowed, self._most = most, most

    def at_once(self, hint: int | None) -> int:
        """One, until the CRM has recommended something."""
        return max(1, min(hint or 1, self._allowed))

    def widen(self) -> None:
        self._allowed = min(self._allowed + 1, self._most)

    def narrow(self) -> None:
        self._allowed = max(1, self._allowed // 2)


class Paces:
    """What each CRM has been found to take over a connection, from one push to the next."""

    def __init__(self, first: int, most: int, at_once: int) -> None:
        self._first, self._most, self._at_once = first, most, at_once
        self._sizes: OrderedDict[tuple[CrmKey, str], BatchSize] = OrderedDict()
        self._widths: OrderedDict[CrmKey, Width] = OrderedDict()

    def size(self, crm: CrmKey, module: str) -> BatchSize:
        """Of the batches of a module."""
        return _kept(self._sizes, (crm, module), BatchSize(self._first, self._most))

    def width(self, crm: CrmKey) -> Width:
        return _kept(self._widths, crm, Width(self._at_once))


def _kept(known: OrderedDict[_Key, _Pace], key: _Key, fresh: _Pace) -> _Pace:
    pace = known.setdefault(key, fresh)
    known.move_to_end(key)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
    return pace


def cut(items: Sequence[Item], size: BatchSize) -> Iterator[list[Item]]:
    """Batches of rows of one form each, in order, each as large as the size is by then."""
    for form in _FORMS:
        rows, start = [item for item in items if item.write.form == form], 0
        while start < len(rows):
            batch = rows[start : start + size.now]
            start += len(batch)
            yield batch
