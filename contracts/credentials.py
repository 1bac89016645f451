"""Who may call: users prove themselves with access tokens, services with identity tokens.

An access token is verified by every service itself (the gateway is a wall, not the only one).
A service signs a 60-second token for one audience; receivers know the public keys from their
configuration, so no service can speak for another.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import httpx2

from contracts.access import Grants
from contracts.ids import SessionId, TenantId, UserId
from contracts.permissions import ALL_PERMISSIONS, fingerprint
from contracts.settings import ServiceSettings
from kit import clock, telemetry
from kit.problems import DependencyDown, NotAuthenticated
from kit.sealing import SigningKey, VerifyKey
from kit.tokens import KeySet, Signer, TokenRefused, UnknownKey, Verifier, from_jwks

ACCESS_AUDIENCE = "bulkhead"
ACCESS_LIFETIME_S = 300
SERVICE_LIFETIME_S = 60


@dataclass(frozen=True, slots=True)
class Actor:
    """A verified user: of one tenant, or (tenant None) an operator of the platform."""

    realm: Literal["tenant", "operators"]
    user: UserId
    tenant: TenantId | None
    session: SessionId
    level: int
    grants: Grants


def claims_of(actor: Actor, level_version: int) -> dict[str, Any]:
    """The claims that say who `actor` is; the issuer adds iss, aud, iat and exp."""
    catalogue = ALL_PERMISSIONS[actor.realm]
    claims: dict[str, Any] = {
        "sub": str(actor.user),
        "sid": str(actor.session),
        "rlm": actor.realm,
        "lvl": actor.level,
        "lvv": level_version,
        "cat": fingerprint(catalogue),
        "grt": actor.grants.encode(),
    }
    return claims if actor.tenant is None else claims | {"tid": str(actor.tenant)}


def actor_of(claims: dict[str, Any]) -> Actor:
    """The inverse of claims_of; raises TokenRefused where a claim is not what we issue."""
    try:
        realm = claims["rlm"]
        catalogue = ALL_PERMISSIONS[realm]
        if claims["cat"] != fingerprint(catalogue):
            raise TokenRefused("other-catalogue")
        tenant = TenantId(UUID(claims["tid"])) if realm == "tenant" else None
        if tenant is None and "tid" in claims:
            raise TokenRefused("operator-with-tenant")
        return Actor(
            realm=realm,
            user=UserId(UUID(claims["sub"])),
            tenant=tenant,
            session=SessionId(UUID(claims["sid"])),
            level=int(claims["lvl"]),
            grants=Grants.decode(catalogue, claims["grt"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TokenRefused("unexpected-claims") from None


class AccessVerifier:
    """Turns an access token into an Actor; keys come from the auth service's key set."""

    def __init__(self, keys: KeySet, issuer: str) -> None:
        self._keys = keys
        self._verifier = Verifier(keys, issuer, ACCESS_AUDIENCE, ACCESS_LIFETIME_S)

    async def actor(self, token: str) -> Actor:
        """Raises NotAuthenticated without saying which check failed.

        DependencyDown while no key set was ever seen: the token may well be a good one.
        """
        try:
            return actor_of(await self._verifier.verify_reloading(token, clock.now()))
        except TokenRefused as refused:
            if isinstance(refused, UnknownKey) and not self._keys.is_loaded:
                raise DependencyDown("no key set yet") from None
            raise NotAuthenticated("the access token is not valid") from None

    async def refresh(self) -> None:
        """Fetch the key set again, so that a key that was taken out of it is forgotten."""
        await self._keys.fetch()

    async def check(self) -> None:
        """Ready once a key set has been seen: without one, no token can be judged."""
        if not self._keys.is_loaded and not await self._keys.fetch():
            raise DependencyDown("no key set yet")


class CallerVerifier:
    """Turns a service token into the name of the calling service."""

    def __init__(self, audience: str, identities: dict[str, str]) -> None:
        keys = {name: VerifyKey.from_base64url(key) for name, key in identities.items()}
        self._verifiers = {
            name: Verifier({name: key}, _issuer(name), audience, SERVICE_LIFETIME_S)
            for name, key in keys.items()
        }

    def caller(self, token: str) -> str:
        """The service whose key signed the token: its name is bound to kid and issuer alike."""
        for name, verifier in self._verifiers.items():
            try:
                verifier.verify(token, clock.now())
            except UnknownKey:
                continue
            except TokenRefused:
                break
            return name
        raise NotAuthenticated("the service token is not valid")


class ServiceAuth(httpx2.Auth):
    """Signs a fresh token of `service` for `audience` into each request."""

    def __init__(self, key: SigningKey, service: str, audience: str) -> None:
        self._signer = Signer(key, service)
        self._service, self._audience = service, audience

    def token(self) -> str:
        issued = int(clock.now().timestamp())
        return self._signer.sign(
            {
                "iss": _issuer(self._service),
                "aud": self._audience,
                "sub": self._service,
                "iat": issued,
                "exp": issued + SERVICE_LIFETIME_S,
            }
        )

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers["Authorization"] = f"Bearer {self.token()}"
        yield request


def access_verifier(settings: ServiceSettings) -> AccessVerifier:
    """The verifier that loads auth's key set over HTTP."""

    async def fetch() -> dict[str, VerifyKey]:
        with telemetry.span("fetch key set", "client", peer="auth", method="GET") as span:
            async with httpx2.AsyncClient(trust_env=False, timeout=2.0) as client:
                answer = await client.get(settings.jwks_url)
            span.note(status=answer.status_code)
            answer.raise_for_status()
            return from_jwks(answer.content)

    return AccessVerifier(KeySet(fetch), settings.issuer)


def _issuer(service: str) -> str:
    return f"bulkhead-service-{service}"
