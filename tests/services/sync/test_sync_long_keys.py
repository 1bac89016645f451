"""No key that tenants takes makes a statement or a call of sync fail, however wide it is."""

import sys
from functools import cache
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId
from services.sync.crm.dataverse.keys import key_problem, same_key
from services.sync.crm.dataverse.writes import finding
from services.sync.store import outgoing, ownership, resyncing
from services.sync.store.outgoing import Marked
from services.tenants.records.fields import MAX_KEY_LENGTH, check_key
from tests.eventually import eventually
from tests.services.sync.answering import FACTS, MAPPING
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import HOST, IN_BULK, SimulatedCrm
from tests.services.sync.typed_crm import alter

_IN_THE_DATABASE = 500  # what the table of records would hold, whoever writes into it
_ONE_BY_ONE = "\ufdfa"  # eighteen letters in one


@cache
def widest() -> str:
    """Different letters, those with the longest forms first: nothing of it can be compressed."""
    letters = map(chr, (*range(0x20, 0xD800), *range(0xE000, sys.maxunicode + 1)))
    usable = (one for one in letters if not check_key(f"a{one}a") and not key_problem(f"a{one}a"))
    return "".join(sorted(usable, key=lambda one: -len(same_key(f"a{one}a").encode())))


def syllables(count: int) -> str:
    """Each comes apart into three letters."""
    return mixed_up("".join(chr(0xAC00 + number) for number in range(11_172)))[:count]


def mixed_up(letters: str) -> str:
    """In an order in which little of it can be compressed."""
    return "".join(Random(7).sample(letters, len(letters)))


KEYS = {
    "ascii": "x" * MAX_KEY_LENGTH,
    "emoji": "\U0001f600" * MAX_KEY_LENGTH,
    "syllables": syllables(MAX_KEY_LENGTH),
    "one by one": _ONE_BY_ONE * MAX_KEY_LENGTH,
    "widest": widest()[:MAX_KEY_LENGTH],
    "mixed": "".join(one + _ONE_BY_ONE for one in widest()[1 : MAX_KEY_LENGTH // 2 + 1]),
    "longest": mixed_up(widest()[:200] + syllables(_IN_THE_DATABASE - 200)),
}


@pytest.mark.parametrize("name", KEYS)
async def test_every_statement_takes_the_widest_keys(sync: Sync, name: str) -> None:
    id_ = ConnectionId(UUID(await sync.connect()))
    await sync.http.post(f"{sync.path}/{id_}/pause")
    key, record = KEYS[name], UUID(int=1)
    form = same_key(key)
    async with sync.parts.db.write() as session:
        await outgoing.mark(session, id_, [Marked(record, "organisation", key, form)])
        owned = {"which": record, "same": form, "owned": form}
        await ownership.give_keys(session, id_, [owned])
        assert await ownership.owned(session, id_, [form]) == {("organisation", form)}
        assert len(await ownership.rivals(session, id_, "organisation", [form])) == 2
        assert await resyncing.of_key(session, id_, "organisation", form) == 1
        await outgoing.wake_parked(session, id_, "organisation", [form])


def test_no_form_is_longer_than_an_entry_of_an_index_however_well_it_can_be_compressed() -> None:
    assert max(len(same_key(key).encode()) for key in KEYS.values()) <= 2000


def test_long_keys_are_compared_as_short_ones_are() -> None:
    long = "É" + KEYS["one by one"][1:]
    assert same_key(long) == same_key("e" + long[1:]) == same_key(long + "  ")
    assert same_key(long) != same_key(long[:-1])
    assert same_key(long) != same_key(long[:-1] + "x")
    assert len({same_key(key) for key in KEYS.values()}) == len(KEYS)


def test_what_an_alternate_key_cannot_hold_is_found_before_sending() -> None:
    """900 bytes of UTF-16, whatever the column's length; no key that tenants takes has as many."""
    assert [key_problem(one) for one in ("x" * 450, "\U0001f600" * 225)] == [None, None]
    assert all(key_problem(one) for one in ("x" * 451, "\U0001f600" * 226))
    assert [name for name, key in KEYS.items() if key_problem(key)] == ["longest"]


def test_the_form_of_every_key_can_be_asked_for() -> None:
    """A letter that Dataverse takes may come apart into one that it does not take in a key."""
    forms = [same_key(one) for one in widest() if not key_problem(one)]
    for start in range(0, len(forms), 5000):
        finding(MAPPING, FACTS, "bulkhead_symbol", forms[start : start + 5000])


def test_a_key_of_which_nothing_is_compared_is_no_key() -> None:
    assert same_key("\u0301\u0300") == ""
    assert key_problem("\u0301\u0300")
    assert key_problem("e\u0301") is None


async def test_many_of_the_widest_keys_arrive_and_their_ids_are_read(
    sync_url: str, tmp_path: Path, kind: str, peer: PeerTenants
) -> None:
    """An address of a part has 64 KiB at most: a hundred such keys have four times as much."""
    for number in range(120):
        name = ("emoji", "syllables", "ascii")[number % 3]
        peer.put(f"{number} {KEYS[name]}"[:MAX_KEY_LENGTH], name=name)
    async with (
        IN_BULK[kind](host=HOST) as bulk,
        running_sync(sync_url, tmp_path, bulk, peer, batch_rows=200) as sync,
    ):
        alter(bulk, "accounts", bulkhead_symbol={"max_length": 450})
        connection = await sync.connect()
        await sync.settled(connection, ok=120)
        assert len(bulk.records()) == 120
        calls = [len(bulk.requests(one)) for one in ("UpsertMultiple", "$batch")]
        assert calls == [1, 1]  # what was sent was found at once
        async with sync.parts.db.read() as session:
            unknown = "SELECT count(*) FROM outgoing WHERE crm_id IS NULL"
            assert await session.scalar(text(unknown)) == 0


async def test_a_key_that_is_longer_than_the_column_is_parked_before_it_is_sent(
    sync: Sync, simulator: SimulatedCrm
) -> None:
    alter(simulator, "accounts", bulkhead_symbol={"max_length": 399})
    sync.peer.put(KEYS["emoji"], name="400 units")
    sync.peer.put(KEYS["ascii"], name="200 units")
    connection = await sync.connect()
    await sync.settled(connection, ok=1, parked=1)
    found = (await sync.get(f"/{connection}/outcomes?state=parked"))["outcomes"]
    assert [(one["code"], one["key"]) for one in found] == [("key-refused", KEYS["emoji"])]
    assert "399 UTF-16 units" in found[0]["reason"]
    await eventually(lambda: len(simulator.records()) == 1)
    assert len(sync.sent()) == 1
