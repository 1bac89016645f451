"""Symmetric keys: 32 random bytes, wrapped under a key-encryption key that only a file holds."""

from pathlib import Path
from typing import Self

from nacl.utils import random

from kit import base64url
from kit.sealing.envelope import open_sealed, seal

KEY_BYTES = 32
_FEWEST_DIFFERENT_BYTES = 12  # of 32 random ones, fewer are different once in 10^25
_OTHERS_MAY_WRITE = 0o022


def new_key() -> bytes:
    return random(KEY_BYTES)


def read_key(path: Path) -> bytes:
    """The 32 bytes a file holds as one base64url line; the error never shows the text.

    ValueError also where others may write the file, or where nobody drew the key at random.
    """
    refuse_open(path)
    try:
        key = base64url.decode(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path}: expected {KEY_BYTES} bytes in base64url without padding")
    if len(set(key)) < _FEWEST_DIFFERENT_BYTES:
        raise ValueError(f"{path}: this key was not drawn at random")
    return key


def refuse_open(path: Path) -> None:
    """ValueError where others than the owner may write the file of a secret."""
    if path.stat().st_mode & _OTHERS_MAY_WRITE:
        raise ValueError(f"{path}: others may write this file; its mode should be 0600 or 0440")


class Kek:
    """Key-encryption key: wraps other keys, bound to what they are for, and never shows itself."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> Self:
        return cls(read_key(path))

    def wrap(self, key: bytes, ad: bytes) -> bytes:
        return seal(self._key, key, ad)

    def unwrap(self, wrapped: bytes, ad: bytes) -> bytes:
        """The key; SealBroken when `wrapped` was made for another `ad` or by another KEK."""
        return open_sealed(self._key, wrapped, ad)

    def __repr__(self) -> str:
        return "Kek(...)"
