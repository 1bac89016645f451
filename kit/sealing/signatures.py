"""Ed25519 signatures (RFC 8032) as libsodium checks them: no malleable, no small-order forms."""

from pathlib import Path
from typing import Self

from nacl import bindings
from nacl.exceptions import CryptoError

from kit import base64url
from kit.sealing.keys import new_key, read_key

SIGNATURE_BYTES = bindings.crypto_sign_BYTES


class VerifyKey:
    """A public key; two keys are equal when their bytes are."""

    def __init__(self, key: bytes) -> None:
        if len(key) != bindings.crypto_sign_PUBLICKEYBYTES:
            raise ValueError("a public key has 32 bytes")
        self._key = key

    @classmethod
    def from_base64url(cls, text: str) -> Self:
        return cls(base64url.decode(text))

    def to_base64url(self) -> str:
        return base64url.encode(self._key)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True only for the signature of exactly `message` by this key."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            bindings.crypto_sign_open(signature + message, self._key)
        except CryptoError:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyKey) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


class SigningKey:
    """A private key; only `seed_base64url`, for writing a key file, shows it."""

    def __init__(self, seed: bytes) -> None:
        public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self._seed = seed
        self.public = VerifyKey(public)

    @classmethod
    def generate(cls) -> Self:
        return cls(new_key())

    @classmethod
    def from_file(cls, path: Path) -> Self:
        return cls(read_key(path))

    def sign(self, message: bytes) -> bytes:
        return bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def seed_base64url(self) -> str:
        return base64url.encode(self._seed)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.to_base64url()})"
