"""Token verification: ours against PyJWT and joserfc on the same token, in time and in strictness.

`python -m bench.tokens`. The libraries run with their options set as strictly as they go; the
hostile tokens are those of our own tests.
"""

import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import jwt
from joserfc import jwt as jose
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from rich.console import Console
from rich.table import Table

from kit.tokens import TokenRefused, Verifier, to_jwks
from tests.kit.hostile_tokens import HOSTILE, KEY, KID, token

Verify = Callable[[str], object]

ROUNDS, REPEATS = 200, 9
ISSUER, AUDIENCE, REQUIRED = "https://bulkhead", "bulkhead", ["iss", "aud", "iat", "exp"]
REFUSALS = (TokenRefused, jwt.PyJWTError, JoseError, ValueError, TypeError)


def ours() -> Verify:
    verifier = Verifier({KID: KEY.public}, ISSUER, AUDIENCE, 300)
    return lambda text: verifier.verify(text, datetime.now(UTC))


def pyjwt() -> Verify:
    key = jwt.PyJWK(to_jwks([KEY.public])["keys"][0]).key

    def verify(text: str) -> object:
        return jwt.decode(
            text,
            key,
            algorithms=["EdDSA"],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=5,
            options={"require": REQUIRED, "strict_aud": True},
        )

    return verify


def joserfc() -> Verify:
    key = OKPKey.import_key({**to_jwks([KEY.public])["keys"][0]})
    registry = jose.JWTClaimsRegistry(
        leeway=5,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        iat={"essential": True},
        exp={"essential": True},
    )

    def verify(text: str) -> object:
        decoded = jose.decode(text, key, algorithms=["EdDSA"])
        registry.validate(decoded.claims)
        return decoded.claims

    return verify


def microseconds(verify: Verify, text: str) -> float:
    """CPU time per token, the median of several rounds: other work on the machine counts less."""
    times = []
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(ROUNDS):
            verify(text)
        times.append((time.process_time() - begun) / ROUNDS * 1e6)
    return median(times)


def accepted(verify: Verify) -> int:
    """How many of the hostile tokens pass."""
    count = 0
    for _name, hostile, _reason in HOSTILE:
        try:
            verify(hostile)
        except REFUSALS:
            continue
        count += 1
    return count


def main() -> None:
    warnings.simplefilter("ignore")  # joserfc warns of the name EdDSA, which RFC 8037 gives
    table = Table(title="verification of one access token")
    for heading in ("verifier", "CPU µs", "x ours", f"hostile accepted of {len(HOSTILE)}"):
        table.add_column(heading, justify="left" if heading == "verifier" else "right")
    good, base = token(), 0.0
    for name, verify in (("ours", ours()), ("PyJWT", pyjwt()), ("joserfc", joserfc())):
        spent = microseconds(verify, good)
        base = base or spent
        table.add_row(name, f"{spent:.0f}", f"{spent / base:.2f}", str(accepted(verify)))
    Console().print(table)


if __name__ == "__main__":
    main()
