"""Public keys as a JSON Web Key Set (RFC 8037): only Ed25519 signature keys go in or come out."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from pydantic import JsonValue

from kit import base64url, strict_json
from kit.sealing import VerifyKey, canonical


def key_id(key: VerifyKey) -> str:
    """The key's own name: its RFC 7638 thumbprint, so that no two keys share a kid."""
    members: JsonValue = {"crv": "Ed25519", "kty": "OKP", "x": key.to_base64url()}
    return base64url.encode(sha256(canonical(members)).digest())


def to_jwks(keys: Iterable[VerifyKey]) -> dict[str, list[dict[str, str]]]:
    return {"keys": [_to_jwk(key) for key in keys]}


def from_jwks(data: bytes) -> dict[str, VerifyKey]:
    """kid -> key; ValueError for any entry that is not an Ed25519 signature key with a kid."""
    match strict_json.loads(data):
        case {"keys": [*entries]}:
            return dict(_from_jwk(entry) for entry in entries)
    raise ValueError("not a key set")


def _to_jwk(key: VerifyKey) -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": key.to_base64url(),
        "kid": key_id(key),
        "use": "sig",
        "alg": "EdDSA",
    }


def _from_jwk(entry: Any) -> tuple[str, VerifyKey]:
    match entry:
        case {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": str(x), "kid": str(kid)}:
            return kid, VerifyKey.from_base64url(x)
    raise ValueError("not an Ed25519 signature key")
