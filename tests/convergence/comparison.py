"""What is different between both sides, by the CRM's own equality."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from sandbox.dataverse.collation import folded
from tests.services.sync.running_sync import Sync

Values = Mapping[str, Any]
_HELD = text("SELECT crm_key FROM outgoing WHERE state = 'parked' AND crm_key IS NOT NULL")


async def differences(sync: Sync, connection: str) -> list[str]:
    """Sentences; none: both sides are equal, and nothing is there that was not chosen.

    For a connection that deletes what is deleted and clears what is withdrawn.
    """
    ours, theirs, held = _expected(sync), _rows(sync), await _held(sync)
    states = await _states(sync, connection)
    found = [f"{key}: due" for key, state in states.items() if state in ("pending", "retry")]
    for key in sorted({*ours, *theirs} - held):
        found += _of_one(key, ours.get(key, {}), theirs.get(key, []), states)
    return found + [f"{key}: {len(rows)} rows" for key, rows in theirs.items() if len(rows) > 1]


def _of_one(
    key: str, wanted: Mapping[str, Values], rows: list[Values], states: Mapping[str, str]
) -> list[str]:
    """Of the records that the CRM takes for one, one has the row, if any has ever had a value.

    An older record has the key also while it is empty: then nobody has a row.
    """
    of_these = {one: states.get(one, "unknown") for one in wanted}
    holders = [one for one, state in of_these.items() if state == "ok"]
    is_nobodys = not holders and "empty" not in of_these.values() and bool(of_these)
    if len(holders) > 1 or is_nobodys or (rows and not holders):
        return [f"{key}: {len(rows)} rows are of {of_these or 'nobody'}"]
    if not holders:
        return []
    values = wanted[holders[0]]
    if not rows:
        return [f"{key}: no row for {dict(values)}"]
    other = {name: rows[0].get(name) for name in values if rows[0].get(name) != values[name]}
    return [f"{key}: {other} in place of {dict(values)}"] if other else []


async def _held(sync: Sync) -> set[str]:
    """The CRM's keys of records that cannot have their new key: their rows stay as they are."""
    async with sync.parts.db.read() as session:
        return {folded(row["crm_key"]) for row in await session.all(_HELD)}


def _expected(sync: Sync) -> dict[str, dict[str, Values]]:
    """By the CRM's key: the records that have it, with a value for every mapped column."""
    columns = sync.simulator.MAPPING["fields"]
    chosen = sync.peer.choice.get("organisation", [])
    found: dict[str, dict[str, Values]] = defaultdict(dict)
    for record in sync.peer.records.values():
        values = {
            column: record["fields"].get(field) if field in chosen else None
            for field, column in columns.items()
        }
        found[folded(record["key"])][record["key"]] = values
    return found


def _rows(sync: Sync) -> dict[str, list[Values]]:
    found: dict[str, list[Values]] = defaultdict(list)
    for row in sync.simulator.records():
        found[folded(row[sync.simulator.KEY])].append(row)
    return found


async def _states(sync: Sync, connection: str) -> dict[str, str]:
    """What became of the records that are there, by their keys."""
    there = {str(record) for record in sync.peer.records}
    found: dict[str, str] = {}
    cursor = ""
    while True:
        page = await sync.get(f"/{connection}/outcomes?limit=500{cursor}")
        found |= {one["key"]: one["state"] for one in page["outcomes"] if one["record"] in there}
        if page["cursor"] is None:
            return found
        cursor = f"&cursor={page['cursor']}"
