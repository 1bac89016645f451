"""Rotation: either order works, a refused credential falls back to another, and no push fails."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from contracts.ids import ConnectionId
from services.sync.credential import Offered
from services.sync.credentials import CredentialStore, new_row
from services.sync.store import credentials
from tests.eventually import eventually
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.rotation import Rotation
from tests.services.sync.running_sync import running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


async def test_changed_there_first(rotation: Rotation) -> None:
    old = rotation.sync.simulator.client_secret
    rotation.known_there(old, "the-new-one")
    await rotation.put("the-new-one")
    await rotation.arrives()
    rotation.known_there("the-new-one")
    await rotation.sign_in_again()
    assert await rotation.state() == ("active", "")
    slots = await rotation.slots()
    assert slots.keys() == {"current", "previous"}
    assert slots["current"]["accepted_at"]


async def test_changed_here_first(rotation: Rotation) -> None:
    """It is kept beside the one in use, and takes its place when that one is withdrawn there."""
    old = rotation.sync.simulator.client_secret
    await rotation.put("not-known-yet", status=422)
    await rotation.put("the-new-one", "staged")
    slots = await rotation.slots()
    assert slots.keys() == {"current", "next"}
    assert slots["next"]["refused_reason"] == "the client secret is wrong (AADSTS7000215)"
    warnings = (await rotation.sync.get(f"/{rotation.id}"))["warnings"]
    assert [one.partition(":")[0] for one in warnings] == [
        "the client secret that is staged is refused"
    ]
    await rotation.arrives()
    rotation.known_there("the-new-one")
    await rotation.sign_in_again()
    after = await rotation.slots()
    assert after["current"]["id"] == slots["next"]["id"]
    assert after["previous"]["id"] == slots["current"]["id"]
    assert old != "the-new-one"
    assert await rotation.state() == ("active", "")


async def test_a_staged_one_is_in_use_as_soon_as_the_crm_knows_it(rotation: Rotation) -> None:
    """By the timer, while the old one still works: then the owner sees that it may go."""
    await rotation.put("the-new-one", "staged")
    staged = (await rotation.slots())["next"]["id"]
    old = rotation.sync.simulator.client_secret
    rotation.known_there(old, "the-new-one")
    db = rotation.sync.parts.db
    await rotation.sync.parts.rotating.try_staged()
    assert (await rotation.slots())["next"]["id"] == staged, "it was refused a moment ago"
    async with db.write() as session:
        earlier = "refused_at - interval '31 s'"
        await session.run(text(f"UPDATE credential SET refused_at = {earlier} WHERE slot = 'next'"))
    await rotation.sync.parts.rotating.try_staged()
    assert (await rotation.slots())["current"]["id"] == staged


async def test_a_staged_one_that_works_already_is_in_use_at_once(rotation: Rotation) -> None:
    rotation.known_there(rotation.sync.simulator.client_secret, "the-new-one")
    await rotation.put("the-new-one", "staged")
    assert (await rotation.slots()).keys() == {"current", "previous"}


async def test_a_staged_one_mends_a_broken_connection(rotation: Rotation) -> None:
    rotation.known_there("the-new-one")
    rotation.sync.simulator.add_fault(
        kind="status", path=rotation.sync.simulator.BATCH, status=401, body="json", times=1
    )
    rotation.sync.peer.put("WAITS", name="Waits")

    async def is_broken() -> bool:
        return (await rotation.state())[0] == "broken"

    await eventually(is_broken)
    await rotation.put("the-new-one", "staged")
    await rotation.sync.settled(rotation.id, ok=2)
    assert await rotation.state() == ("active", "")


async def test_what_was_replaced_serves_again_where_the_new_one_is_withdrawn(
    rotation: Rotation,
) -> None:
    old = rotation.sync.simulator.client_secret
    rotation.known_there(old, "the-new-one")
    await rotation.put("the-new-one")
    before = await rotation.slots()
    await rotation.arrives()
    rotation.known_there(old)
    await rotation.sign_in_again()
    after = await rotation.slots()
    assert after["current"]["id"] == before["previous"]["id"]
    assert after["next"]["id"] == before["current"]["id"], "it may be known again one day"
    assert await rotation.state() == ("active", "")


async def test_every_credential_is_refused_before_the_connection_is_broken(
    rotation: Rotation,
) -> None:
    await rotation.put("staged", "staged")
    rotation.known_there("nobody-here-knows-it")
    rotation.sync.simulator.add_fault(
        kind="status", path=rotation.sync.simulator.BATCH, status=401, body="json", times=1
    )
    rotation.sync.peer.put("WAITS", name="Waits")

    async def is_broken() -> bool:
        return (await rotation.state())[0] == "broken"

    await eventually(is_broken)
    assert (await rotation.state())[1] == "the client secret is wrong (AADSTS7000215)"
    assert all(one["refused_at"] for one in (await rotation.slots()).values())
    rotation.known_there("staged")
    assert (await rotation.sync.http.post(f"{rotation.sync.path}/{rotation.id}/test")).json()["ok"]
    await rotation.sync.settled(rotation.id, ok=2)


async def test_a_secret_withdrawn_during_a_push_ends_no_push(
    sync_url: str, tmp_path: Path, simulator: SimulatedCrm, peer: PeerTenants
) -> None:
    """The push began with the old one; the new one was put while it ran."""
    peer.fill(60)
    simulator.switches.latency_s = 0.05
    async with running_sync(sync_url, tmp_path, simulator, peer, batch_rows=2) as sync:
        rotation = Rotation(sync, await sync.connect())
        await eventually(lambda: len(sync.batches()) > 2)
        rotation.known_there(simulator.client_secret, "the-new-one")
        await rotation.put("the-new-one")
        rotation.known_there("the-new-one")
        simulator.add_fault(kind="status", path=simulator.BATCH, status=401, body="json", times=1)
        await sync.settled(rotation.id, ok=60)
        assert await rotation.state() == ("active", "")
        async with sync.parts.db.read() as session:
            assert await session.scalar(text("SELECT generation FROM connection")) >= 1


async def test_an_authority_that_asks_to_wait_says_nothing_of_the_credential(
    rotation: Rotation,
) -> None:
    """One answer of a moment, however it looks, refuses nothing and switches nothing."""
    await rotation.put("the-new-one", "staged")
    before = (await rotation.slots())["current"]["id"]
    sign_in = rotation.sync.simulator.SIGN_IN
    for fault in ({"status": 400}, {"status": 403}, {"status": 200}, {"status": 503}):
        rotation.sync.simulator.add_fault(kind="status", path=sign_in, body="html", **fault)
    await rotation.sign_in_again()
    slots = await rotation.slots()
    assert (slots["current"]["id"], slots["current"]["refused_at"]) == (before, None)
    assert await rotation.state() == ("active", "")


async def test_what_was_changed_between_the_refusal_and_its_end_breaks_nothing(
    rotation: Rotation,
) -> None:
    """The push has seen all credentials refused; another one is there before it says so."""
    sync, id_ = rotation.sync, ConnectionId(UUID(rotation.id))
    rotation.known_there("the-new-one")
    asked = len(sync.simulator.requests(sync.simulator.SIGN_IN))
    for fault in (
        {"kind": "status", "path": sync.simulator.BATCH, "status": 401, "body": "json"},
        {"kind": "slow", "path": sync.simulator.SIGN_IN, "seconds": 0.5},
    ):
        sync.simulator.add_fault(**fault)
    sync.peer.put("WAITS", name="Waits")
    await eventually(lambda: len(sync.simulator.requests(sync.simulator.SIGN_IN)) > asked)
    store = CredentialStore(sync.parts.db, sync.parts.keyring)
    new = await store.sealed(
        sync.tenant, id_, new_row(Offered.secret("the-new-one").one, "current")
    )
    async with sync.parts.db.write() as session:
        await session.run(text("SELECT 1 FROM connection FOR UPDATE"))

        async def is_about_to_say_so() -> bool:
            async with sync.parts.db.read() as other:
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                refused = "SELECT count(*) FROM credential WHERE refused_at IS NOT NULL"
                return bool(await other.scalar(text(waiting)) and await other.scalar(text(refused)))

        await eventually(is_about_to_say_so)
        await credentials.replace_all(session, id_, [new])
    await sync.settled(rotation.id, ok=2)
    assert await rotation.state() == ("active", "")


async def test_a_credential_that_is_accepted_again_was_refused_no_more(rotation: Rotation) -> None:
    known = rotation.sync.simulator.client_secret
    rotation.known_there("another")
    rotation.sync.simulator.add_fault(
        kind="status", path=rotation.sync.simulator.BATCH, status=401, body="json"
    )
    rotation.sync.peer.put("NEXT", name="Next")

    async def is_refused() -> bool:
        return (await rotation.slots())["current"]["refused_at"] is not None

    await eventually(is_refused)
    rotation.known_there(known)
    answer = await rotation.sync.http.post(f"{rotation.sync.path}/{rotation.id}/test")
    assert answer.status_code == 200
    await rotation.sync.settled(rotation.id, ok=2)
    current = (await rotation.slots())["current"]
    assert (current["refused_at"], current["refused_reason"]) == (None, "")
    assert current["accepted_at"] is not None
