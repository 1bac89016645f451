"""Rotation: either order works, a refused credential falls back to another, and no push fails."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId, new_id
from sandbox.dataverse.tokens import Secret
from services.sync.credential import Credential, Offered
from services.sync.credentials import CredentialStore, new_row
from services.sync.crm.dataverse import SignInRefused, Tokens
from services.sync.crm.dataverse.operations import Operation
from services.sync.egress import Reply
from services.sync.store import credentials
from tests.eventually import eventually
from tests.services.sync.answering import CONNECTION
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, running_sync
from tests.services.sync.simulated_crms import SimulatedCrm


@dataclass
class Rotation:
    """A connection whose tokens live for a moment, and which secrets its CRM knows."""

    sync: Sync
    id: str
    rows: int = 0

    @property
    def path(self) -> str:
        return f"{self.sync.path}/{self.id}/credentials"

    def known_there(self, *secrets: str) -> None:
        there = self.sync.simulator
        there.simulation.set_secrets(there.client_id, [Secret(one) for one in secrets])

    async def put(self, secret: str, when: str = "now", status: int = 204) -> Any:
        body = {"client_secret": secret, "when": when}
        answer = await self.sync.http.put(self.path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def slots(self) -> dict[str, dict[str, Any]]:
        found = (await self.sync.http.get(self.path)).json()["credentials"]
        return {one["slot"]: one for one in found}

    async def arrives(self) -> None:
        """One more record reaches the CRM, with a token of its own."""
        self.rows += 1
        self.sync.peer.put(f"K{self.rows}", name=f"Name {self.rows}")
        await self.sync.settled(self.id, ok=self.rows)

    async def sign_in_again(self) -> None:
        """The next push needs a new token."""
        self.sync.simulator.add_fault(
            kind="status", path=self.sync.simulator.BATCH, status=401, body="json", times=1
        )
        await self.arrives()

    async def state(self) -> tuple[str, str]:
        body = await self.sync.get(f"/{self.id}")
        return body["state"], body["reason"]


@pytest.fixture
async def rotation(sync: Sync) -> Rotation:
    made = Rotation(sync, await sync.connect())
    await made.arrives()
    return made


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
        simulator.add_fault(kind="status", path=simulator.BATCH, status=401, body="json", times=2)
        await sync.settled(rotation.id, ok=60)
        assert await rotation.state() == ("active", "")
        async with sync.parts.db.read() as session:
            assert await session.scalar(text("SELECT generation FROM connection")) >= 1


async def test_what_has_been_put_meanwhile_is_tried_before_it_is_called_broken() -> None:
    old, new = Offered.secret("old").one, Offered.secret("new").one

    class Changed(Offered):
        async def look_again(self) -> Sequence[Credential]:
            return (new, self.one)

    shown = []

    async def send(_operation: Operation, _path: str, body: bytes) -> Reply:
        shown.append(body)
        if b"client_secret=new" in body:
            return Reply(200, {}, b'{"access_token": "t", "expires_in": 60}')
        return Reply(401, {}, b'{"error": "invalid_client"}')

    assert await Tokens().token(CONNECTION, Changed(old), send) == "t"
    assert len(shown) == 2


async def test_a_sign_in_ends_though_the_credentials_never_stop_changing() -> None:
    class Restless(Offered):
        async def look_again(self) -> Sequence[Credential]:
            return (Offered.secret("another").one,)

    asked = []

    async def send(_operation: Operation, _path: str, body: bytes) -> Reply:
        asked.append(body)
        return Reply(401, {}, b'{"error": "invalid_client"}')

    with pytest.raises(SignInRefused) as refused:
        await Tokens().token(CONNECTION, Restless(Offered.secret("first").one), send)
    assert refused.value.outcome.verdict.name == "BACK_OFF"
    assert len(asked) == 6


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


async def test_a_staged_and_a_replaced_one_can_be_dropped_and_the_one_in_use_cannot(
    rotation: Rotation,
) -> None:
    http = rotation.sync.http
    assert (await http.delete(f"{rotation.path}/next")).status_code == 404
    await rotation.put("staged", "staged")
    assert (await http.delete(f"{rotation.path}/next")).status_code == 204
    refused = await http.delete(f"{rotation.path}/current")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/credential-in-use")
    assert (await http.delete(f"{rotation.path}/any")).status_code == 422
    rotation.known_there(rotation.sync.simulator.client_secret, "the-new-one")
    await rotation.put("the-new-one")
    assert (await http.delete(f"{rotation.path}/previous")).status_code == 204
    assert (await rotation.slots()).keys() == {"current"}


async def test_the_same_secret_once_more_is_the_same_secret(rotation: Rotation) -> None:
    same = rotation.sync.simulator.client_secret
    await rotation.put(same)
    await rotation.put(same, "staged")
    assert (await rotation.slots()).keys() == {"current"}
    await rotation.sign_in_again()


async def test_rotations_at_once_leave_one_in_use(rotation: Rotation) -> None:
    secrets = [f"secret-{number}" for number in range(4)]
    rotation.known_there(rotation.sync.simulator.client_secret, *secrets)
    await asyncio.gather(*(rotation.put(one) for one in secrets))
    assert (await rotation.slots()).keys() == {"current", "previous"}
    await rotation.sign_in_again()


async def test_another_tenant_finds_no_credentials(rotation: Rotation) -> None:
    other = TenantId(new_id())
    async with rotation.sync.as_user(other) as stranger:
        for path in (rotation.path, rotation.path.replace(str(rotation.sync.tenant), str(other))):
            body = {"client_secret": "mine", "when": "staged"}
            assert (await stranger.get(path)).status_code == 404
            assert (await stranger.put(path, json=body)).status_code == 404
            assert (await stranger.post(f"{path}/certificate", json={})).status_code == 404
            assert (await stranger.delete(f"{path}/next")).status_code == 404
    assert (await rotation.slots()).keys() == {"current"}


async def test_who_may_only_look_changes_nothing(rotation: Rotation) -> None:
    async with rotation.sync.as_user(rotation.sync.tenant, "connection.view") as looker:
        assert (await looker.get(rotation.path)).status_code == 200
        body = {"client_secret": "mine"}
        assert (await looker.put(rotation.path, json=body)).status_code == 403
        assert (await looker.post(f"{rotation.path}/certificate", json={})).status_code == 403
        assert (await looker.delete(f"{rotation.path}/next")).status_code == 403


async def test_no_secret_is_told_to_anybody(
    rotation: Rotation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ["wrong-one-4711", "staged-one-4711", "good-one-4711"]
    await rotation.put(secrets[0], status=422)
    await rotation.put(secrets[1], "staged")
    rotation.known_there(rotation.sync.simulator.client_secret, secrets[2])
    await rotation.put(secrets[2])
    await rotation.sign_in_again()
    shown = caplog.text + str(await rotation.slots())
    for path in ("", f"/{rotation.id}", f"/{rotation.id}/ledger", f"/{rotation.id}/outcomes"):
        shown += (await rotation.sync.http.get(rotation.sync.path + path)).text
    async with rotation.sync.parts.db.read() as session:
        for table in ("credential", "outbox", "ledger", "connection", "announced"):
            shown += str(await session.all(text(f"SELECT * FROM {table}")))
    assert "4711" not in shown


async def test_the_version_before_writes_another_credential_into_the_same_row(
    rotation: Rotation,
) -> None:
    """Its id goes with it, so that what was refused is not taken for the new one."""
    before = (await rotation.slots())["current"]
    sync, id_ = rotation.sync, ConnectionId(CONNECTION.id)
    version, sealed = await sync.parts.keyring.seal(sync.tenant, id_, "current", "x")
    async with sync.parts.db.write() as session:
        change = text("UPDATE credential SET key_version = :v, sealed = :s")
        await session.run(change, {"v": version, "s": sealed})
    after = (await rotation.slots())["current"]
    assert before["id"] != after["id"]
    assert before["accepted_at"]
    assert after["accepted_at"] is None


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
