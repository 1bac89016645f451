"""A certificate instead of a secret: the application signs a statement about itself (RFC 7523), in
the form of Entra's page "certificate credentials": PS256, named by x5t#S256."""

import json
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contracts.ids import new_id
from kit import base64url
from services.sync.credential import Credential, thumbprint

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EARLIER = timedelta(minutes=2)  # their clock may be behind ours
_LIFE = timedelta(minutes=10)


def assertion(one: Credential, *, audience: str, client: str, now: datetime) -> str:
    """A token for one sign-in at `audience`, the URL that it is sent to."""
    head = {
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": base64url.encode(thumbprint(one.certificate, "sha256")),
    }
    claims = {
        "aud": audience,
        "iss": client,
        "sub": client,
        "jti": str(new_id()),
        "iat": int(now.timestamp()),
        "nbf": int((now - _EARLIER).timestamp()),
        "exp": int((now + _LIFE).timestamp()),
    }
    text = f"{_encoded(head)}.{_encoded(claims)}"
    return f"{text}.{base64url.encode(_signature(one, text.encode()))}"


def _signature(one: Credential, data: bytes) -> bytes:
    # It comes out of our own seal: checking once more that it is a good key would take 100 times
    # as long as signing.
    key = load_pem_private_key(one.secret.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the key of a certificate is not an RSA key")
    filling = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
    return key.sign(data, filling, SHA256())


def _encoded(value: dict[str, Any]) -> str:
    return base64url.encode(json.dumps(value, separators=(",", ":")).encode())
