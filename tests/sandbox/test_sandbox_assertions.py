"""The simulator's check of client assertions, against assertions that a library of others signs."""

import base64
import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sandbox.dataverse import DataverseSimulator
from tests.sandbox.conftest import sign_in

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def certificate(days: int = 1) -> x509.Certificate:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=3))
    return builder.not_valid_after(now + timedelta(days=days)).sign(KEY, SHA256())


@dataclass
class Application:
    """An application with one registered certificate."""

    sim: DataverseSimulator
    http: httpx2.AsyncClient
    known: x509.Certificate

    def __post_init__(self) -> None:
        pem = self.known.public_bytes(Encoding.PEM).decode()
        self.sim.simulation.set_certificates(self.sim.client_id, [pem])

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        times = {"nbf": now - 60, "exp": now + 600}
        who = {"iss": self.sim.client_id, "sub": self.sim.client_id, "jti": "one"}
        return {"aud": self.sim.token_url, **who, **times, **changes}

    def signed(
        self, *, key: Any = KEY, algorithm: str = "PS256", head: Any = None, **changes: Any
    ) -> str:
        digest = hashlib.sha256(self.known.public_bytes(Encoding.DER)).digest()
        named = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        headers = {"x5t#S256": named} if head is None else head
        return jwt.encode(self.claims(**changes), key, algorithm=algorithm, headers=headers)

    async def show(self, assertion: str) -> httpx2.Response:
        form = {"client_assertion_type": TYPE, "client_assertion": assertion}
        return await sign_in(self.sim, self.http, client_secret="", **form)


@pytest.fixture
def application(sim: DataverseSimulator, http: httpx2.AsyncClient) -> Application:
    return Application(sim, http, certificate())


async def test_an_assertion_by_a_registered_certificate_gives_a_token(
    application: Application,
) -> None:
    answer = await application.show(application.signed())
    assert answer.status_code == 200
    assert answer.json()["access_token"]


LATER = int(time.time()) + 3600
WRONG: list[tuple[dict[str, Any], int]] = [
    ({"key": OTHER}, 700027),
    ({"head": {"x5t#S256": "AAAA"}}, 700027),
    ({"head": {}}, 700027),
    ({"algorithm": "RS256"}, 5002738),
    ({"algorithm": "HS256", "key": "a-text-that-is-long-enough-for-a-key"}, 5002738),
    ({"aud": "https://login.microsoftonline.com/elsewhere/oauth2/v2.0/token"}, 700023),
    ({"aud": ["https://localhost"]}, 700023),
    ({"iss": "somebody-else"}, 700021),
    ({"sub": "somebody-else"}, 700021),
    ({"jti": ""}, 50027),
    ({"exp": 1, "nbf": 0}, 700024),
    ({"nbf": LATER, "exp": LATER + 600}, 700024),
]


@pytest.mark.parametrize(("changes", "number"), WRONG)
async def test_whatever_is_wrong_with_it_is_refused_as_entra_refuses_it(
    application: Application, changes: dict[str, Any], number: int
) -> None:
    answer = await application.show(application.signed(**changes))
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (
        401,
        "invalid_client",
        [number],
    )


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.e30", "W10.W10.W10", "ä.ö.ü"])
async def test_what_is_no_assertion_is_refused(application: Application, text: str) -> None:
    answer = await application.show(text or " ")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_certificate_that_has_ended_is_refused(
    sim: DataverseSimulator, http: httpx2.AsyncClient
) -> None:
    ended = Application(sim, http, certificate(days=-1))
    answer = await ended.show(ended.signed())
    assert answer.json()["error_codes"] == [7000222]
