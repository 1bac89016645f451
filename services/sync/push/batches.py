"""How many rows go into one call: more while all are accepted, fewer when some are not; pure."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from contracts.ids import ConnectionId
from services.sync.crm import RowForm
from services.sync.push.plan import Item

_FORMS: tuple[RowForm, ...] = ("new", "known", "deactivate", "delete")
_REMEMBERED = 10_000


class BatchSize:
    """Between one and `most`; it begins with `first`."""

    def __init__(self, first: int, most: int) -> None:
        self.now, self._most = min(first, most), most

    def grow(self, sent: int) -> None:
        """A batch of so many rows was accepted whole: a full one tells that more may go."""
        if sent >= self.now:
            self.now = min(self.now * 2, self._most)

    def shrink(self) -> None:
        """A batch was too much, or one of its rows was the fault of all."""
        self.now = max(1, self.now // 4)


class BatchSizes:
    """What each module of a connection has been found to take, from one push to the next."""

    def __init__(self, first: int, most: int) -> None:
        self._first, self._most = first, most
        self._known: OrderedDict[tuple[ConnectionId, str], BatchSize] = OrderedDict()

    def of(self, connection: ConnectionId, module: str) -> BatchSize:
        size = self._known.setdefault((connection, module), BatchSize(self._first, self._most))
        self._known.move_to_end((connection, module))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return size


def cut(items: Sequence[Item], size: BatchSize) -> Iterator[list[Item]]:
    """Batches of rows of one form each, in order, each as large as the size is by then."""
    for form in _FORMS:
        rows, start = [item for item in items if item.write.form == form], 0
        while start < len(rows):
            batch = rows[start : start + size.now]
            start += len(batch)
            yield batch
