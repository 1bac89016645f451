"""Rows whose id in the CRM has to be asked for before they can be sent; what is there settles some.

A row that is looked for is found by its key; what is then sent to it goes by its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.sync.connection import ModuleMapping
from services.sync.crm import Crm, Verdict
from services.sync.push.plan import Item
from services.sync.push.settlements import ended, made_again, not_there, sought_again
from services.sync.store.settling import Settlement

_REMOVING = ("delete", "deactivate")


@dataclass(frozen=True)
class Located:
    """`items` can be sent, those that are `learnt` by an id that was not known; of `asked` it is
    known what became of them."""

    items: Sequence[Item]
    learnt: Sequence[Item] = ()
    asked: Sequence[Item] = ()
    settled: Sequence[Settlement] = ()


async def locate(
    crm: Crm, mapping: ModuleMapping, items: Sequence[Item], now: datetime
) -> Located | Verdict:
    """A batch has rows of one form, so that one of the three asks at most; a Verdict where the CRM
    does not tell."""
    if sought := [item for item in items if item.is_sought and item.row.crm_key]:
        return await _unsought(crm, mapping, items, sought, now)
    if unknown := [item for item in items if is_unknown(item)]:
        return await _identified(crm, mapping, items, unknown, now)
    if doubted := [item for item in items if item.write.form == "known" and item.row.recreates]:
        return await _present(crm, mapping, items, doubted, now)
    return Located(items)


def is_unknown(item: Item) -> bool:
    """Whether it is to go away and its id is not known."""
    return item.write.form in _REMOVING and not item.write.crm_id


async def _unsought(
    crm: Crm, mapping: ModuleMapping, items: Sequence[Item], sought: Sequence[Item], now: datetime
) -> Located | Verdict:
    """Those whose row was sent by another key and never told of are planned anew, with its id or as
    new ones."""
    found = await crm.find(mapping, [item.row.crm_key or "" for item in sought])
    if isinstance(found, Verdict):
        return found
    settled = [sought_again(item, found.get(item.row.crm_key or ""), now) for item in sought]
    left = [item for item in items if not item.is_sought]
    return Located(left, asked=sought, settled=settled)


async def _identified(
    crm: Crm, mapping: ModuleMapping, items: Sequence[Item], unknown: Sequence[Item], now: datetime
) -> Located | Verdict:
    """Rows that are to go away get their ids; whose row is not there is settled."""
    found = await crm.find(mapping, [item.write.key for item in unknown])
    if isinstance(found, Verdict):
        return found
    gone = [item for item in unknown if item.same_key not in found]
    learnt = [item.identified(found[item.same_key]) for item in unknown if item.same_key in found]
    known = [item for item in items if not is_unknown(item)]
    return Located([*known, *learnt], learnt, gone, [not_there(item, now) for item in gone])


async def _present(
    crm: Crm, mapping: ModuleMapping, items: Sequence[Item], doubted: Sequence[Item], now: datetime
) -> Located | Verdict:
    """Rows that a resync does not take for granted: that all of them are gone would else be found
    out one by one."""
    there = await crm.keys_of(mapping, [item.write.crm_id for item in doubted])
    if isinstance(there, Verdict):
        return there
    gone = [item for item in doubted if item.write.crm_id not in there]
    absent = {item.record for item in gone}
    left = [item for item in items if item.record not in absent]
    return Located(left, asked=gone, settled=[ended(item, made_again(item, now)) for item in gone])
