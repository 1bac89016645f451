"""Sealed values (XChaCha20-Poly1305): one opens only with its key and its associated data.

Layout: 0x01 | 24-byte random nonce | ciphertext and tag.
"""

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.utils import random

_VERSION = b"\x01"
_NONCE = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_TAG = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES


class SealBroken(Exception):
    """A sealed value or stream was altered, cut, or belongs to another key or place."""


def seal(key: bytes, plaintext: bytes, ad: bytes) -> bytes:
    """Seal under the 32-byte `key`; `ad` names the place it belongs to (tenant, purpose)."""
    nonce = random(_NONCE)
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, nonce, key)
    return _VERSION + nonce + sealed


def open_sealed(key: bytes, sealed: bytes, ad: bytes) -> bytes:
    """The plaintext; SealBroken when key, associated data or any bit differs."""
    if len(sealed) < 1 + _NONCE + _TAG or sealed[:1] != _VERSION:
        raise SealBroken("not a sealed value")
    nonce, body = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(body, ad, nonce, key)
    except CryptoError:
        raise SealBroken("altered, or sealed for another key or place") from None
