"""Certificates as credentials: made here, uploaded there, used once accepted; the key stays."""

import asyncio
from datetime import timedelta
from typing import Any

import joserfc.jwk
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwt import decode
from sqlalchemy import text

from contracts.ids import ConnectionId, new_id
from kit import clock
from sandbox.dataverse.tokens import Secret
from services.sync.certificates import Certificates
from services.sync.crm.dataverse.assertion import assertion
from tests.services.sync.running_sync import Sync

URL = "https://login.example.com/directory/oauth2/v2.0/token"


@pytest.fixture
async def at(sync: Sync) -> str:
    return f"{sync.path}/{await sync.connect()}/credentials"


async def make(sync: Sync, path: str, **body: Any) -> dict[str, Any]:
    answer = await sync.http.post(f"{path}/certificate", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def slots(sync: Sync, path: str) -> dict[str, Any]:
    return {one["slot"]: one for one in (await sync.http.get(path)).json()["credentials"]}


async def test_a_certificate_is_made_uploaded_and_used(sync: Sync, at: str) -> None:
    made = await make(sync, at)
    assert (await slots(sync, at))["next"] == made
    there = sync.simulator
    there.simulation.set_certificates(there.client_id, [made["certificate"]["pem"]])
    there.simulation.set_secrets(there.client_id, [Secret("nobody-here-knows-it")])
    assert (await sync.http.post(at.replace("credentials", "test"))).json()["ok"]
    assert (await slots(sync, at))["current"]["id"] == made["id"]
    sync.peer.fill(3)
    await sync.settled(at.split("/")[-2], ok=3)
    [*_, last] = there.requests(there.SIGN_IN)
    assert b"client_secret" not in last.body
    assert b"client_assertion=<redacted>" in last.body


async def test_what_is_handed_out_is_the_public_part(sync: Sync, at: str) -> None:
    made = await make(sync, at, days=30)
    shown = made["certificate"]
    certificate = x509.load_pem_x509_certificate(shown["pem"].encode())
    assert "PRIVATE" not in str(made)
    assert certificate.public_key().key_size >= 3072  # type: ignore[union-attr]
    assert shown["sha256"] == certificate.fingerprint(hashes.SHA256()).hex().upper()
    assert shown["sha1"] == certificate.fingerprint(hashes.SHA1()).hex().upper()
    left = certificate.not_valid_after_utc - clock.now()
    assert timedelta(days=29) < left <= timedelta(days=30)
    assert made["expires_at"].startswith(f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%S}")
    async with sync.parts.db.read() as session:
        rows = await session.all(text("SELECT * FROM credential WHERE slot = 'next'"))
    assert b"PRIVATE" not in rows[0]["sealed"]
    assert "PRIVATE" not in str(rows)


async def test_a_second_one_does_not_take_the_place_of_one_that_was_handed_out(
    sync: Sync, at: str
) -> None:
    made = await make(sync, at)
    again = await sync.http.post(f"{at}/certificate", json={})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/credential-staged")
    assert (await slots(sync, at))["next"]["id"] == made["id"]
    assert (await sync.http.delete(f"{at}/next")).status_code == 204
    both = await asyncio.gather(*(sync.http.post(f"{at}/certificate", json={}) for _ in range(2)))
    assert sorted(one.status_code for one in both) == [201, 409]


@pytest.mark.parametrize("days", [0, -1, 731, "365", 1.5])
async def test_how_long_it_is_valid_has_bounds(sync: Sync, at: str, days: Any) -> None:
    answer = await sync.http.post(f"{at}/certificate", json={"days": days})
    assert answer.status_code == 422


async def test_a_certificate_that_the_authority_does_not_know_says_so(sync: Sync, at: str) -> None:
    await make(sync, at)
    await sync.parts.rotating.try_staged()
    staged = (await slots(sync, at))["next"]
    assert staged["refused_reason"] == (
        "the certificate is not one of the application's (AADSTS700027)"
    )


async def test_another_library_reads_the_assertion() -> None:
    """Two that nobody here wrote, and one of them pinned to PS256."""
    made = await Certificates().make(ConnectionId(new_id()), clock.now(), 1)
    now = clock.now()
    text_ = assertion(made.value, audience=URL, client="app", now=now)
    public = x509.load_pem_x509_certificate(made.value.certificate.encode()).public_key()
    claims = jwt.decode(text_, public, algorithms=["PS256"], audience=URL)  # type: ignore[arg-type]
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = joserfc.jwk.RSAKey.import_key(pem)
    assert decode(text_, key, algorithms=["PS256"]).claims == claims
    assert (claims["iss"], claims["sub"]) == ("app", "app")
    assert claims["nbf"] < int(now.timestamp()) < claims["exp"] <= claims["nbf"] + 15 * 60
    other = assertion(made.value, audience=URL, client="app", now=now)
    assert jwt.decode(other, options={"verify_signature": False})["jti"] != claims["jti"]
