"""Issues access tokens: short-lived, with the user's grants in them, and the keys that prove it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from contracts.credentials import ACCESS_AUDIENCE, ACCESS_LIFETIME_S, Actor, claims_of
from contracts.ids import SessionId
from kit.sealing import SigningKey, VerifyKey
from kit.tokens import Signer, key_id, to_jwks
from services.auth.levels import LEVELS
from services.auth.store.users import User


class AccessTokens:
    """Signs with one key and publishes it beside `others` (the next one, the last one)."""

    def __init__(self, key: SigningKey, issuer: str, others: Sequence[VerifyKey] = ()) -> None:
        self._signer = Signer(key, key_id(key.public))
        self._issuer = issuer
        self._published = [key.public, *others]

    def issue(self, user: User, session: SessionId, now: datetime) -> str:
        issued = int(now.timestamp())
        registered = {
            "iss": self._issuer,
            "aud": ACCESS_AUDIENCE,
            "iat": issued,
            "exp": issued + ACCESS_LIFETIME_S,
        }
        return self._signer.sign(
            claims_of(actor_for(user, session), user.level_version) | registered
        )

    def key_set(self) -> dict[str, list[dict[str, str]]]:
        return to_jwks(self._published)

    async def keys(self) -> Mapping[str, VerifyKey]:
        """The same keys for this service's own verifier."""
        return {key_id(key): key for key in self._published}


def actor_for(user: User, session: SessionId) -> Actor:
    return Actor(
        realm=user.realm,
        user=user.id,
        tenant=user.tenant,
        session=session,
        level=user.level,
        grants=LEVELS[user.realm][user.level].grants,
    )
