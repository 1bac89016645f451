"""Client assertions (RFC 7523) as Microsoft Entra checks them: PS256, a registered certificate."""

import base64
import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

_SKEW_S = 300


class AssertionWrong(Exception):
    """Why the client is not who it says; `number` is Entra's AADSTS."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def check_assertion(
    given: str,
    client: str,
    goals: Collection[str],
    registered: Sequence[x509.Certificate],
    now: float,
) -> None:
    """Raises AssertionWrong unless a registered certificate's key signed it, for here and now."""
    try:
        head, claims = (_decoded(part) for part in given.split(".")[:2])
        signature = _bytes(given.split(".")[2])
    except (ValueError, IndexError):
        raise AssertionWrong(50027, "JWT token is invalid or malformed.") from None
    if head.get("alg") != "PS256":
        raise AssertionWrong(5002738, "The algorithm of the client assertion is not supported.")
    _check_signature(given, signature, _certificate(head, registered, now))
    _check_claims(claims, client, goals, now)


def _certificate(
    head: dict[str, Any], registered: Sequence[x509.Certificate], now: float
) -> x509.Certificate:
    moment = datetime.fromtimestamp(now, UTC)
    for one in registered:
        digest = hashlib.sha256(one.public_bytes(Encoding.DER)).digest()
        named = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if named == head.get("x5t#S256"):
            if not one.not_valid_before_utc <= moment <= one.not_valid_after_utc:
                raise AssertionWrong(7000222, "The provided client certificate is expired.")
            return one
    text = "The certificate with identifier used to sign the client assertion is not registered"
    raise AssertionWrong(700027, f"{text} on application.")


def _check_signature(given: str, signature: bytes, certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise AssertionWrong(700027, "The key of the certificate is not an RSA key.")
    filling = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
    try:
        key.verify(signature, given.rpartition(".")[0].encode(), filling, SHA256())
    except InvalidSignature:
        text = "Client assertion contains an invalid signature."
        raise AssertionWrong(700027, text) from None


def _check_claims(claims: dict[str, Any], client: str, goals: Collection[str], now: float) -> None:
    if not claims.get("iss") == claims.get("sub") == client:
        raise AssertionWrong(700021, "Client assertion application identifier doesn't match.")
    if claims.get("aud") not in [*goals]:  # compared, not hashed: it may be a list
        raise AssertionWrong(700023, "Client assertion audience claim does not match Realm issuer.")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise AssertionWrong(50027, "JWT token is invalid or malformed: it has no jti.")
    start, end = claims.get("nbf"), claims.get("exp")
    if not isinstance(start, int) or not isinstance(end, int):
        raise AssertionWrong(50027, "JWT token is invalid or malformed: nbf or exp is no number.")
    if not start - _SKEW_S <= now < end + _SKEW_S:
        raise AssertionWrong(700024, "Client assertion is not within its valid time range.")


def _decoded(part: str) -> dict[str, Any]:
    found = json.loads(_bytes(part))
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 (a value of theirs, not a type of ours)
    return found


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
