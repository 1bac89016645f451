"""Signs claims into the one form that `Verifier` accepts."""

from collections.abc import Mapping

from pydantic import JsonValue

from kit import base64url
from kit.sealing import SigningKey, canonical


class Signer:
    def __init__(self, key: SigningKey, kid: str) -> None:
        self._key = key
        header: JsonValue = {"alg": "EdDSA", "kid": kid, "typ": "JWT"}
        self._header = base64url.encode(canonical(header))

    def sign(self, claims: Mapping[str, JsonValue]) -> str:
        signed = f"{self._header}.{base64url.encode(canonical(dict(claims)))}"
        return f"{signed}.{base64url.encode(self._key.sign(signed.encode('ascii')))}"
