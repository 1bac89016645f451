"""Typed values arrive: options, money, days, and children after their parents."""

from tests.eventually import eventually
from tests.services.sync.running_sync import Sync

ORGANISATION = {
    "table": "accounts",
    "key_attribute": "bulkhead_symbol",
    "fields": {
        "name": "name",
        "sector": {"column": "industrycode", "choices": {"Energy": 4}},
        "revenue": "revenue",
        "added": "bulkhead_dateadded",
    },
}
PERSON = {
    "table": "contacts",
    "key_attribute": "bulkhead_key",
    "fields": {
        "name": "lastname",
        "employer": {
            "column": "parentcustomerid",
            "lookup": {"table": "accounts", "key_attribute": "bulkhead_symbol"},
        },
    },
}


async def test_values_arrive_as_what_their_columns_hold(sync: Sync) -> None:
    sync.peer.choice = {
        "organisation": ["name", "sector", "revenue", "added"],
        "person": ["name", "employer"],
    }
    sync.peer.put("P1", module="person", name="Ada", employer="O'Neil")
    sync.peer.put("O'Neil", name="O'Neil", sector="Energy", revenue="12.50", added="2026-06-01")
    sync.peer.put("ODD", name="Odd", sector="Piracy")
    connection = await sync.connect(modules={"person": PERSON, "organisation": ORGANISATION})
    await sync.settled(connection, ok=2, parked=1)
    (account,) = sync.simulator.rows("accounts")
    (contact,) = sync.simulator.rows("contacts")
    values = [account[name] for name in ("industrycode", "revenue", "bulkhead_dateadded")]
    assert values == [4, 12.5, "2026-06-01"]
    assert contact["parentcustomerid"] == account["accountid"]
    (parked,) = (await sync.get(f"/{connection}/outcomes?state=parked"))["outcomes"]
    assert parked["reason"] == (
        "column 'industrycode': the value is not one of the column's options"
    )
    sync.peer.put("P1", module="person", employer=None)
    await sync.settled(connection, ok=2, parked=1)

    async def cleared() -> bool:
        return bool(sync.simulator.rows("contacts")[0]["parentcustomerid"] is None)

    await eventually(cleared)
