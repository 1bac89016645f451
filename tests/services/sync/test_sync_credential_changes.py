"""Changing credentials: what may be changed by whom, what is told of it, and what is tried."""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.ids import ConnectionId, TenantId, new_id
from services.sync.credential import Credential, Offered
from services.sync.credentials import CredentialStore, new_row
from services.sync.crm.dataverse import SignInRefused, Tokens
from services.sync.crm.dataverse.operations import Operation
from services.sync.egress import Reply
from services.sync.store import credentials
from tests.eventually import eventually
from tests.services.sync.answering import CONNECTION
from tests.services.sync.rotation import Rotation


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
    assert refused.value.verdict.meaning.name == "BACK_OFF"
    assert len(asked) == 6


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
    sync, id_ = rotation.sync, CONNECTION.id
    version, sealed = await sync.parts.keyring.seal(sync.tenant, id_, "current", "x")
    async with sync.parts.db.write() as session:
        change = text("UPDATE credential SET key_version = :v, sealed = :s")
        await session.run(change, {"v": version, "s": sealed})
    after = (await rotation.slots())["current"]
    assert before["id"] != after["id"]
    assert before["accepted_at"]
    assert after["accepted_at"] is None


async def test_what_was_put_meanwhile_is_not_written_over(rotation: Rotation) -> None:
    sync, id_ = rotation.sync, ConnectionId(UUID(rotation.id))
    store = CredentialStore(sync.parts.db, sync.parts.keyring)
    other = await store.sealed(sync.tenant, id_, new_row(Offered.secret("other").one, "current"))
    async with sync.parts.db.write() as session:
        await credentials.alone(session, id_)
        staging = asyncio.create_task(rotation.put("staged", "staged"))

        async def waits() -> bool:
            async with sync.parts.db.read() as reading:
                query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                return bool(await reading.scalar(text(query)))

        await eventually(waits)
        await credentials.replace_all(session, id_, [other])
    await staging
    slots = await rotation.slots()
    assert slots.keys() == {"current", "next"}
    assert slots["current"]["id"] == str(other.id)
