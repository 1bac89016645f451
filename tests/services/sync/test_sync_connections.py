"""Connections: looked at before they are saved, secrets sealed and never shown."""

import re
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from contracts.ids import TenantId, new_id
from kit.db import Database
from sandbox.dataverse.tokens import Secret
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync, injected, running_sync
from tests.services.sync.simulated_crms import HOST, SimulatedCrm


async def test_a_connection_is_saved_after_a_look_at_token_identity_and_every_table(
    sync: Sync,
) -> None:
    answer = await sync.http.post(sync.path, json=sync.wanted())
    assert answer.status_code == 201
    body = answer.json()
    assert (body["state"], body["environment_url"]) == ("active", f"https://{HOST}")
    assert answer.headers["location"] == f"{sync.path}/{body['id']}"
    calls = (await sync.get(f"/{body['id']}/ledger"))["calls"]
    assert [call["operation"] for call in reversed(calls)] == [
        "token",
        "who-am-i",
        "describe-table",
        "describe-columns",
        "describe-types",
    ]
    assert all(call["host"] == HOST and call["status"] == 200 for call in calls)


async def test_no_answer_ever_holds_the_secret(sync: Sync) -> None:
    connection = await sync.connect()
    secret = sync.simulator.client_secret
    for path in ("", f"/{connection}", f"/{connection}/ledger", f"/{connection}/outcomes"):
        assert secret not in (await sync.http.get(sync.path + path)).text
    wrong = sync.wanted(client_secret="not-the-secret-at-all", modules=sync.apart(1))
    answer = await sync.http.post(sync.path, json=wrong)
    assert answer.status_code == 422
    assert "not-the-secret" not in answer.text


async def test_the_secret_stands_sealed_in_the_database(sync: Sync, sync_url: str) -> None:
    await sync.connect()
    db = Database(sync_url)
    async with db.read() as session:
        rows = await session.all(text("SELECT c.*::text AS shown, sealed FROM credential c"))
    await db.close()
    assert len(rows) == 1
    assert sync.simulator.client_secret.encode() not in rows[0]["sealed"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://contoso.crm.example", "only https is allowed"),
        ("https://127.0.0.1", "an IP address is not a name"),
        ("https://localhost", "the host is not a public DNS name"),
        ("https://contoso.crm.example:8443", "only port 443 is allowed"),
        ("https://user:pass@contoso.crm.example", "the address holds a user name"),
        ("https://contoso.crm.example/api", "the address must end after the host name"),
    ],
)
async def test_a_forbidden_address_is_refused_with_the_rule_and_without_a_call(
    sync: Sync, url: str, reason: str
) -> None:
    for field in (name for name in sync.simulator.address if name.endswith("_url")):
        answer = await sync.http.post(sync.path, json=sync.wanted(**{field: url}))
        assert answer.status_code == 422
        body = answer.json()
        assert body["type"] == "/problems/crm-address-refused"
        assert (body["pointer"], body["detail"]) == (f"/{field}", reason)
    assert sync.simulator.requests() == []
    assert (await sync.get(""))["connections"] == []


@pytest.mark.parametrize(
    ("listener", "reason"),
    [
        ("self-signed", "certificate is self-signed"),
        ("expired", "certificate has expired"),
        ("wrong-host", "certificate is for another name"),
    ],
)
async def test_a_crm_that_cannot_prove_its_name_is_refused_with_the_reason(
    listener: str,
    reason: str,
    sync_url: str,
    tmp_path: Path,
    simulator: SimulatedCrm,
    peer: PeerTenants,
) -> None:
    async with simulator.untrusted() as addresses:
        guard = injected(simulator, httpx2.URL(addresses[listener]).port)
        async with running_sync(sync_url, tmp_path, simulator, peer, egress=guard) as sync:
            answer = await sync.http.post(sync.path, json=sync.wanted())
    assert answer.status_code == 422
    body = answer.json()
    assert body["type"] == "/problems/crm-probe-failed"
    assert (body["step"], body["detail"]) == ("token", f"{HOST}: {reason}")
    assert simulator.requests() == []


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"table": "nowhere"}, "the CRM has no table 'nowhere'"),
        ({"key_attribute": "name", "fields": {"sector": "bulkhead_sector"}}, "'name' is not an"),
        ({"fields": {"name": "nombre"}}, "the table 'accounts' has no column 'nombre'"),
    ],
)
async def test_a_mapping_that_the_crm_does_not_know_is_refused_with_the_reason(
    sync: Sync, mapping: dict[str, object], reason: str
) -> None:
    good = sync.wanted()["modules"]["organisation"]
    wanted = sync.wanted(modules={"organisation": good | mapping})
    answer = await sync.http.post(sync.path, json=wanted)
    assert answer.status_code == 422
    assert answer.json()["step"] == "module organisation"
    assert answer.json()["detail"].startswith(reason)


async def test_a_key_whose_index_is_not_active_is_refused(sync: Sync) -> None:
    sync.simulator.switches.inactive_keys.append("bulkhead_symbol_key")
    answer = await sync.http.post(sync.path, json=sync.wanted())
    assert answer.json()["detail"] == "the index of the alternate key 'bulkhead_symbol' is pending"


async def test_a_field_that_writes_the_key_column_is_refused(sync: Sync) -> None:
    fields = {"symbol": "bulkhead_symbol"}
    good = sync.wanted()["modules"]["organisation"]
    answer = await sync.http.post(
        sync.path, json=sync.wanted(modules={"organisation": good | {"fields": fields}})
    )
    assert answer.status_code == 422
    assert sync.simulator.requests() == []


async def test_a_new_secret_has_to_prove_itself_before_it_replaces_the_old_one(
    sync: Sync,
) -> None:
    connection = await sync.connect()
    old = sync.simulator.client_secret
    path = f"{sync.path}/{connection}/credentials"
    refused = await sync.http.put(path, json={"client_secret": "wrong"})
    assert refused.status_code == 422
    assert refused.json()["detail"] == "the client secret is wrong (AADSTS7000215)"
    assert (await sync.http.post(f"{sync.path}/{connection}/test")).json()["ok"]

    sync.simulator.simulation.set_secrets(
        sync.simulator.client_id, [Secret(old), Secret("the-new-one")]
    )
    assert (await sync.http.put(path, json={"client_secret": "the-new-one"})).status_code == 204
    sync.simulator.simulation.set_secrets(sync.simulator.client_id, [Secret("the-new-one")])
    assert (await sync.http.post(f"{sync.path}/{connection}/test")).json()["ok"]


async def test_a_look_does_not_live_on_the_token_that_a_push_has_left(sync: Sync) -> None:
    """The secret was withdrawn in the CRM: that is what a look has to say, while a push goes on."""
    sync.peer.put("K1", sector="Energy")
    connection = await sync.connect()
    await sync.settled(connection, ok=1)
    other = [Secret("another-secret")]
    sync.simulator.simulation.set_secrets(sync.simulator.client_id, other)
    sync.peer.put("K2", sector="Energy")
    await sync.settled(connection, ok=2)
    found = (await sync.http.post(f"{sync.path}/{connection}/test")).json()
    assert not found["ok"]
    assert "the client secret is wrong" in str(found)


async def test_pause_resume_and_delete(sync: Sync) -> None:
    connection = await sync.connect()
    one = f"{sync.path}/{connection}"
    assert (await sync.http.post(f"{one}/pause")).status_code == 204
    assert (await sync.get(f"/{connection}"))["state"] == "paused"
    assert (await sync.http.post(f"{one}/resume")).status_code == 204
    assert (await sync.http.delete(one)).status_code == 204
    assert (await sync.http.get(one)).status_code == 404
    assert (await sync.http.post(f"{one}/resume")).status_code == 404
    assert len((await sync.get(f"/{connection}/ledger"))["calls"]) == 5


async def test_another_tenant_finds_nothing(sync: Sync) -> None:
    connection = await sync.connect()
    other = TenantId(new_id())
    async with sync.as_user(other) as stranger:
        for path in (f"{sync.path}/{connection}", f"/t/{other}/v1/connections/{connection}"):
            for suffix in ("", "/outcomes", "/ledger"):
                assert (await stranger.get(path + suffix)).status_code == 404
            for suffix in ("/test", "/pause", "/resume", "/retry"):
                assert (await stranger.post(path + suffix)).status_code == 404
            body = {"client_secret": "mine"}
            assert (await stranger.put(f"{path}/credentials", json=body)).status_code == 404
            assert (await stranger.delete(path)).status_code == 404
    assert (await sync.get(f"/{connection}"))["state"] == "active"


async def test_the_ledger_is_read_in_pages(sync: Sync) -> None:
    connection = await sync.connect()
    first = await sync.get(f"/{connection}/ledger?limit=3")
    rest = await sync.get(f"/{connection}/ledger?limit=3&cursor={first['cursor']}")
    operations = [call["operation"] for call in first["calls"] + rest["calls"]]
    assert operations == [
        "describe-types",
        "describe-columns",
        "describe-table",
        "who-am-i",
        "token",
    ]
    assert rest["cursor"] is None


async def test_the_addresses_for_firewalls_are_public(sync: Sync) -> None:
    async with sync.as_user(sync.tenant) as client:
        answer = await client.get("/v1/egress-addresses", auth=None)
    assert answer.json() == {"addresses": ["198.51.100.7"]}


async def test_the_answer_to_an_invalid_request_names_places_and_never_the_input(
    sync: Sync,
) -> None:
    answer = await sync.http.post(sync.path, json=sync.wanted(client_secret=["s3cr3t"], extra=1))
    assert answer.status_code == 422
    assert "s3cr3t" not in answer.text
    assert re.search("/client_secret", answer.text)
