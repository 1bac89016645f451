"""Puts the auth service together: the only place that knows all of its parts."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI

from contracts.assembly import assemble
from contracts.broker import open_broker
from contracts.clients import TenantsClient
from contracts.credentials import AccessVerifier
from kit import clock
from kit.chassis import Made
from kit.db import Database
from kit.messaging import Broker
from kit.sealing import SigningKey
from kit.timers import Timer
from kit.tokens import KeySet
from services.auth import login, sessions
from services.auth.access_tokens import AccessTokens
from services.auth.consumers import handlers
from services.auth.known_tenants import KnownTenants, ListTenants
from services.auth.parts import AuthParts
from services.auth.passwords import Passwords
from services.auth.routes import ROUTERS
from services.auth.seating import Seating
from services.auth.settings import AuthSettings

NAME = "auth"
SWEEP_EVERY_S = 60.0
LOAD_EVERY_S = 10.0
FORGET_EVERY_S = 3600.0
# a login keeps its connection while its password is checked, which one a core does at a time:
# these are for everything else, so that logins alone cannot stop it
CONNECTIONS_BESIDES_LOGINS = 5


def create_app(
    settings: AuthSettings,
    *,
    broker: Broker | None = None,
    list_tenants: ListTenants | None = None,
    now: Callable[[], datetime] = clock.now,
    passwords: Passwords | None = None,
) -> FastAPI:
    """The overrides are for tests: a broker, a list of tenants, a clock, a cheaper hash."""
    passwords = passwords or Passwords()
    size = passwords.at_once + CONNECTIONS_BESIDES_LOGINS
    db = Database(settings.database_url, size=size)
    identity = SigningKey.from_file(settings.identity_key_file)
    peer = TenantsClient(settings.tenants_url, key=identity, service=NAME)
    tokens = AccessTokens(settings.signing_key, settings.issuer, settings.other_keys)
    known = KnownTenants(db, list_tenants or peer.tenants)
    seating = Seating(passwords, known.is_known)
    parts = AuthParts(db, seating, tokens, known, now)
    sweep = Timer("tenants", SWEEP_EVERY_S, known.sweep)

    async def close_passwords() -> None:
        parts.seating.close()

    return assemble(
        settings,
        Made(
            name=NAME,
            db=db,
            broker=broker or open_broker(settings.amqp_url),
            routers=ROUTERS,
            handlers=handlers(known, sweep.wake),
            timers=[sweep, *_timers(parts)],
            closing=[close_passwords, peer.aclose],
            parts=parts,
        ),
        access=AccessVerifier(KeySet(tokens.keys), settings.issuer),
    )


def _timers(parts: AuthParts) -> list[Timer]:
    async def forget() -> None:
        await sessions.forget_old(parts)
        await login.forget_old(parts)

    return [
        Timer("queues", LOAD_EVERY_S, parts.known_tenants.load),
        Timer("forget", FORGET_EVERY_S, forget),
    ]
