"""Signed tokens: one strict form of Ed25519 JWT, made by `Signer`, accepted by `Verifier` alone."""

from kit.tokens.jwks import from_jwks, key_id, to_jwks
from kit.tokens.key_set import KeySet, KeySource
from kit.tokens.signer import Signer
from kit.tokens.verifier import TokenRefused, UnknownKey, Verifier

__all__ = [
    "KeySet",
    "KeySource",
    "Signer",
    "TokenRefused",
    "UnknownKey",
    "Verifier",
    "from_jwks",
    "key_id",
    "to_jwks",
]
