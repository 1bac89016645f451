"""Hostile access tokens, each with the reason for which our verifier refuses it.

Made at the present moment, so that libraries which look at the clock can be asked as well.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kit import base64url
from kit.sealing import SigningKey
from kit.tokens import key_id

KEY = SigningKey(bytes(range(32)))
KID = key_id(KEY.public)
NOW = datetime.now(UTC).replace(microsecond=0)
IAT = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": "https://bulkhead",
    "aud": "bulkhead",
    "sub": "u1",
    "iat": IAT,
    "exp": IAT + 300,
}
HEADER: dict[str, Any] = {"alg": "EdDSA", "typ": "JWT", "kid": KID}


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def token(header: Any = HEADER, claims: Any = CLAIMS, *, key: SigningKey = KEY) -> str:
    """A token with a true signature over whatever header and claims are given."""
    signed = ".".join(base64url.encode(text(part).encode()) for part in (header, claims))
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"


def hmac_token(secret: bytes) -> str:
    parts = ({**HEADER, "alg": "HS256"}, CLAIMS)
    signed = ".".join(base64url.encode(text(part).encode()) for part in parts)
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64url.encode(mac)}"


def with_part(at: int, change: Callable[[str], str]) -> str:
    parts = token().split(".")
    parts[at] = change(parts[at])
    return ".".join(parts)


def next_tail(part: str) -> str:
    """The same bytes in a second base64 text: a bit beyond the last byte is set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) | 1]


def header(**members: Any) -> str:
    return token(header=HEADER | members)


def claims(**members: Any) -> str:
    return token(claims=CLAIMS | members)


def without(name: str) -> str:
    return token(claims={key: value for key, value in CLAIMS.items() if key != name})


OTHER = SigningKey.generate()
HOSTILE: list[tuple[str, str, str]] = [
    ("empty", "", "not-three-parts"),
    ("two parts", token().rsplit(".", 1)[0], "not-three-parts"),
    ("four parts", token() + ".x", "not-three-parts"),
    ("encrypted form", "a.b.c.d.e", "not-three-parts"),
    ("too long", token() + "A" * 9000, "too-long"),
    ("alg none", token(header=HEADER | {"alg": "none"}), "unexpected-header"),
    ("alg none without signature", header(alg="none").rsplit(".", 1)[0] + ".", "unexpected-header"),
    ("alg None", header(alg="None"), "unexpected-header"),
    ("alg missing", token(header={"typ": "JWT", "kid": KID}), "unexpected-header"),
    ("alg in other letters", header(alg="eddsa"), "unexpected-header"),
    ("alg Ed25519", header(alg="Ed25519"), "unexpected-header"),
    ("alg as list", header(alg=["EdDSA"]), "unexpected-header"),
    (
        "hmac with the public key",
        hmac_token(KEY.public.to_base64url().encode()),
        "unexpected-header",
    ),
    ("typ missing", token(header={"alg": "EdDSA", "kid": KID}), "unexpected-header"),
    ("typ at+jwt", header(typ="at+jwt"), "unexpected-header"),
    ("typ jwt", header(typ="jwt"), "unexpected-header"),
    ("kid missing", token(header={"alg": "EdDSA", "typ": "JWT"}), "unexpected-header"),
    ("kid as number", header(kid=1), "unexpected-header"),
    ("kid null", header(kid=None), "unexpected-header"),
    ("kid of nobody", header(kid="../../etc/passwd"), "unknown-key"),
    ("embedded jwk", header(jwk={"kty": "OKP"}), "unexpected-header"),
    ("jku", header(jku="https://evil.example/keys"), "unexpected-header"),
    ("x5u", header(x5u="https://evil.example/cert"), "unexpected-header"),
    ("crit", header(crit=["exp"]), "unexpected-header"),
    ("b64 false", header(b64=False, crit=["b64"]), "unexpected-header"),
    ("zip", header(zip="DEF"), "unexpected-header"),
    ("cty", header(cty="JWT"), "unexpected-header"),
    ("header list", token(header=[HEADER]), "not-an-object"),
    ("header twice alg", token(header=f'{{"alg":"none",{text(HEADER)[1:]}'), "not-json"),
    ("header with BOM", token(header="\ufeff" + text(HEADER)), "not-json"),
    ("header not JSON", token(header="alg"), "not-json"),
    ("foreign key", token(key=OTHER), "bad-signature"),
    ("signature empty", with_part(2, lambda _: ""), "bad-signature"),
    ("signature short", with_part(2, lambda part: part[:-2] + "A"), "not-base64url"),
    ("signature zero", with_part(2, lambda _: base64url.encode(bytes(64))), "bad-signature"),
    ("signature longer", with_part(2, lambda _: base64url.encode(bytes(65))), "bad-signature"),
    ("claims changed", with_part(1, lambda _: base64url.encode(b"{}")), "bad-signature"),
    ("padding", with_part(2, lambda part: part + "=="), "not-base64url"),
    ("second text of the signature", with_part(2, next_tail), "not-base64url"),
    ("newline in the signature", with_part(2, lambda part: part + "\n"), "not-base64url"),
    ("space in front", " " + token(), "not-base64url"),
    ("space behind", token() + " ", "not-base64url"),
    ("plain base64 letters", with_part(2, lambda _: "+/" * 43), "not-base64url"),
    ("full-width letters", with_part(0, lambda part: "ｅ" + part[1:]), "not-base64url"),
    ("full-width claims", with_part(1, lambda part: "ｅ" + part[1:]), "bad-signature"),
    ("surrogate", with_part(1, lambda part: "\ud800" + part), "bad-signature"),
    ("NUL", token() + "\x00", "not-base64url"),
    ("claims list", token(claims=[CLAIMS]), "not-an-object"),
    ("claims text", token(claims='"sub"'), "not-an-object"),
    ("claims twice sub", token(claims=f'{{"sub":"admin",{text(CLAIMS)[1:]}'), "not-json"),
    ("claims twice exp", token(claims=f'{text(CLAIMS)[:-1]},"exp":9999999999}}'), "not-json"),
    ("claims NaN", token(claims=text(CLAIMS)[:-1] + ',"x":NaN}'), "not-json"),
    ("claims deep", token(claims=text(CLAIMS)[:-1] + f',"x":{"[" * 40}{"]" * 40}}}'), "not-json"),
    ("claims with NUL", claims(sub="a\x00b"), "not-json"),
    ("claims surrogate", token(claims=text(CLAIMS)[:-1] + ',"x":"\\ud800"}'), "not-json"),
    ("trailing JSON", token(claims=text(CLAIMS) + "{}"), "not-json"),
    ("iss missing", without("iss"), "wrong-issuer"),
    ("iss other", claims(iss="https://bulkhead/"), "wrong-issuer"),
    ("iss list", claims(iss=["https://bulkhead"]), "wrong-issuer"),
    ("aud missing", without("aud"), "wrong-audience"),
    ("aud other", claims(aud="tenants"), "wrong-audience"),
    ("aud list", claims(aud=["bulkhead"]), "wrong-audience"),
    ("aud list of two", claims(aud=["bulkhead", "tenants"]), "wrong-audience"),
    ("aud prefix", claims(aud="bulkhead2"), "wrong-audience"),
    ("exp missing", without("exp"), "exp-not-whole-seconds"),
    ("exp null", claims(exp=None), "exp-not-whole-seconds"),
    ("exp text", claims(exp=str(IAT + 300)), "exp-not-whole-seconds"),
    ("exp fraction", claims(exp=IAT + 300.5), "exp-not-whole-seconds"),
    ("exp true", claims(exp=True), "exp-not-whole-seconds"),
    ("exp past", claims(iat=IAT - 300, exp=IAT - 60), "expired"),
    ("exp before iat", claims(exp=IAT - 1), "lifetime-out-of-bounds"),
    ("exp huge", claims(exp=10**30), "lifetime-out-of-bounds"),
    ("exp overflowing", token(claims=text(CLAIMS)[:-1] + ',"y":1e999}'), "not-json"),
    ("one second too long", claims(exp=IAT + 301), "lifetime-out-of-bounds"),
    ("iat missing", without("iat"), "iat-not-whole-seconds"),
    ("iat text", claims(iat="0"), "iat-not-whole-seconds"),
    ("iat in the future", claims(iat=IAT + 60, exp=IAT + 300), "not-yet-valid"),
    ("iat in the future, nbf past", claims(iat=IAT + 60, nbf=IAT - 60), "not-yet-valid"),
    ("nbf true", claims(nbf=True), "nbf-not-whole-seconds"),
    ("iat true", claims(iat=True), "iat-not-whole-seconds"),
    ("nbf null", claims(nbf=None), "nbf-not-whole-seconds"),
    ("no lifetime at all", claims(exp=IAT), "lifetime-out-of-bounds"),
    ("lifetime counted from nbf", claims(iat=IAT - 60, nbf=IAT), "lifetime-out-of-bounds"),
    ("nbf in the future", claims(nbf=IAT + 60), "not-yet-valid"),
    ("nbf text", claims(nbf="0"), "nbf-not-whole-seconds"),
]
