"""Accepts exactly one form of token: Ed25519 JWT, canonical, short-lived, for one audience.

The algorithm comes from the key, never from the token (RFC 8725 section 3.1); a second text of
the same token (padding, other base64 tail bits, duplicate JSON keys) is refused.
"""

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from kit import base64url, strict_json
from kit.sealing import VerifyKey
from kit.tokens.key_set import KeySource

LONGEST_TOKEN = 8192
CLOCK_SKEW_S = 5

Claims = dict[str, JsonValue]


class TokenRefused(Exception):
    """A token was not accepted; `reason` is a fixed word for logs, never part of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(TokenRefused):
    """No key of that kid is known (yet)."""


class Verifier:
    """Accepts tokens of one issuer for one audience that live at most `max_lifetime_s`."""

    def __init__(
        self,
        keys: Mapping[str, VerifyKey] | KeySource,
        issuer: str,
        audience: str,
        max_lifetime_s: int,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._max_lifetime_s = max_lifetime_s

    def verify(self, token: str, now: datetime) -> Claims:
        """The claims; TokenRefused with the reason otherwise."""
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused("too-long")
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenRefused("not-three-parts")
        key = self._key_of(_header_kid(parts[0]))
        signed = token[: token.rindex(".")]
        if not key.verify(_decode(parts[2]), signed.encode("ascii", "replace")):
            raise TokenRefused("bad-signature")
        claims = _object(parts[1])
        self._check_place(claims)
        self._check_times(claims, now.timestamp())
        return claims

    async def verify_reloading(self, token: str, now: datetime) -> Claims:
        """Like `verify`; an unknown kid reloads the key source once when that is allowed."""
        try:
            return self.verify(token, now)
        except UnknownKey:
            if isinstance(self._keys, Mapping) or not await self._keys.reload():
                raise
        return self.verify(token, now)

    def _key_of(self, kid: str) -> VerifyKey:
        find = self._keys.get if isinstance(self._keys, Mapping) else self._keys.find
        key = find(kid)
        if key is None:
            raise UnknownKey("unknown-key")
        return key

    def _check_place(self, claims: Claims) -> None:
        if claims.get("iss") != self._issuer:
            raise TokenRefused("wrong-issuer")
        # a list of audiences is refused too: one token, one place
        if claims.get("aud") != self._audience:
            raise TokenRefused("wrong-audience")

    def _check_times(self, claims: Claims, now: float) -> None:
        issued, ends = _seconds(claims, "iat"), _seconds(claims, "exp")
        starts = _seconds(claims, "nbf") if "nbf" in claims else issued
        if not 0 < ends - issued <= self._max_lifetime_s:
            raise TokenRefused("lifetime-out-of-bounds")
        if now >= ends + CLOCK_SKEW_S:
            raise TokenRefused("expired")
        if max(issued, starts) > now + CLOCK_SKEW_S:
            raise TokenRefused("not-yet-valid")


def _header_kid(part: str) -> str:
    match _object(part):
        case {"alg": "EdDSA", "typ": "JWT", "kid": str(kid), **rest} if not rest:
            return kid
    raise TokenRefused("unexpected-header")


def _object(part: str) -> Claims:
    try:
        value = strict_json.loads(_decode(part))
    except strict_json.StrictJsonError:
        raise TokenRefused("not-json") from None
    if not isinstance(value, dict):
        raise TokenRefused("not-an-object")
    return value


def _decode(part: str) -> bytes:
    try:
        return base64url.decode(part)
    except ValueError:
        raise TokenRefused("not-base64url") from None


def _seconds(claims: Claims, name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenRefused(f"{name}-not-whole-seconds")
    return value
