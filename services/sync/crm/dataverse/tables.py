"""What has to be known of a table before rows are written to it: asked once, kept for a while."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.sync.connection import CrmKey

_KEPT_S = 3600.0
_MOST = 10_000


@dataclass(frozen=True)
class TableFacts:
    """`bulk_upsert` and `bulk_update`: whether the table has the actions for many rows at once."""

    logical_name: str
    primary_id: str
    bulk_upsert: bool = False
    bulk_update: bool = False

    @property
    def type_name(self) -> str:
        return f"Microsoft.Dynamics.CRM.{self.logical_name}"


Key = tuple[CrmKey, str]


class KnownTables:
    """Of all CRMs that this process knows, by the address that told: a bounded number of them."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._known: OrderedDict[Key, tuple[float, TableFacts]] = OrderedDict()
        self._monotonic = monotonic

    async def facts(self, key: Key, ask: Callable[[], Awaitable[TableFacts]]) -> TableFacts:
        """What is known, or what `ask` finds; raises what it raises."""
        known = self._known.get(key)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        found = await ask()
        self.learn(key, found)
        return found

    def learn(self, key: Key, facts: TableFacts) -> None:
        self._known[key] = (self._monotonic() + _KEPT_S, facts)
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
