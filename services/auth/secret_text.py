"""One-time secrets: 256 random bits for the caller, only a hash of them for the database."""

import secrets
from hashlib import blake2b

from kit.sealing import open_sealed, seal


def fresh() -> str:
    return secrets.token_urlsafe(32)


def hashed(text: str) -> bytes:
    """Unkeyed and fast on purpose: 256 random bits cannot be guessed."""
    return blake2b(text.encode(), digest_size=32, person=b"auth secret").digest()


def seal_under(text: str, successor: str) -> bytes:
    """`successor`, readable only by who holds `text`: the database alone opens nothing."""
    return seal(_key(text), successor.encode(), hashed(text))


def open_under(text: str, sealed: bytes) -> str:
    return open_sealed(_key(text), sealed, hashed(text)).decode()


def _key(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=32, person=b"auth successor").digest()
