"""Typed values arrive: options, money, days, and children after their parents."""

from contracts.ids import new_id
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


async def test_a_row_whose_parent_is_not_there_yet_goes_when_it_is(sync: Sync) -> None:
    sync.peer.choice = {"organisation": ["name"], "person": ["name", "employer"]}
    sync.peer.put("P1", module="person", name="Ada", employer="LATER")
    connection = await sync.connect(modules={"person": PERSON, "organisation": ORGANISATION})
    await sync.settled(connection, parked=1)
    (parked,) = (await sync.get(f"/{connection}/outcomes"))["outcomes"]
    assert parked["code"] == "reference-missing"
    sync.peer.put("LATER", name="Later")
    await sync.settled(connection, ok=2)
    (contact,) = sync.simulator.rows("contacts")
    assert contact["parentcustomerid"] == sync.simulator.rows("accounts")[0]["accountid"]


async def test_rows_of_one_table_wait_for_each_other_level_by_level(sync: Sync) -> None:
    lookup = {"table": "accounts", "key_attribute": "bulkhead_symbol"}
    fields = {"name": "name", "parent": {"column": "parentaccountid", "lookup": lookup}}
    sync.peer.choice = {"organisation": ["name", "parent"]}
    ids = sorted(new_id() for _ in range(6))
    for level, record in enumerate(ids):  # the first to be read is the last that can go
        parent = f"L{level + 1}" if level < len(ids) - 1 else None
        sync.peer.put(f"L{level}", id_=record, name="x", parent=parent)
    connection = await sync.connect(modules={"organisation": ORGANISATION | {"fields": fields}})
    await sync.settled(connection, ok=6)
    by_key = sync.simulator.by_key()
    for level in range(5):
        assert by_key[f"L{level}"]["parentaccountid"] == by_key[f"L{level + 1}"]["accountid"]
