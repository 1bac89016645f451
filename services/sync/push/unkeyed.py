"""Rows that an earlier version has left get their key in the form in which the CRM compares it."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from contracts.ids import ConnectionId
from kit.db import Database
from services.sync.push.lock import Overtaken
from services.sync.store import connections, ownership
from services.sync.store.ownership import UnkeyedRow

_AT_ONCE = 500


async def give_keys(
    db: Database, connection: ConnectionId, generation: int, same_key: Callable[[str], str]
) -> None:
    """Page by page; where two records have gone into one row of the CRM, the older one owns it, and
    nothing is known of the other any more. Raises Overtaken."""
    while True:
        async with db.write() as session:
            if not await connections.is_current(session, connection, generation):
                raise Overtaken
            rows = await ownership.unkeyed(session, connection, _AT_ONCE)
            if not rows:
                return
            keys = {same_key(row.key) for row in rows}
            owned = await ownership.owned(session, connection, sorted(keys))
            await ownership.give_keys(session, connection, _owning(rows, owned, same_key))


def _owning(
    rows: Sequence[UnkeyedRow],
    owned: Collection[tuple[str, str]],
    same_key: Callable[[str], str],
) -> list[dict[str, Any]]:
    """Who owns which row of the CRM: something was sent for it, and nobody older has it."""
    taken, found = set(owned), list[dict[str, Any]]()
    for row in rows:
        place = (row.module, same_key(row.key))
        is_owner = bool(row.sent) and place not in taken
        if is_owner:
            taken.add(place)
        crm_key = place[1] if is_owner else None
        found.append({"which": row.record, "same": place[1], "owned": crm_key})
    return found
