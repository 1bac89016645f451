"""Puts the auth service together: the only place that knows all of its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from fastapi import FastAPI

from contracts import authorise
from contracts.clients import TenantsClient
from contracts.credentials import AccessVerifier
from kit import clock, inbox
from kit.consuming import consume
from kit.db import Database
from kit.http import build_app
from kit.messaging import Broker
from kit.messaging.amqp import AmqpBroker
from kit.sealing import SigningKey
from kit.timers import Timer, running
from kit.tokens import KeyRing
from services.auth import login, sessions
from services.auth.access_tokens import AccessTokens
from services.auth.consumers import HANDLERS
from services.auth.directory import Directory, ListTenants
from services.auth.parts import Parts
from services.auth.passwords import Passwords
from services.auth.routes import ROUTERS
from services.auth.settings import AuthSettings

NAME = "auth"
SWEEP_EVERY_S = 60.0
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
    directory = Directory(db, list_tenants or peer.tenants, now)
    parts = Parts(db, passwords, tokens, directory, now)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(parts.passwords.close)
            stack.push_async_callback(db.close)
            stack.push_async_callback(peer.aclose)
            link = broker or await AmqpBroker.connect(settings.amqp_url)
            stack.push_async_callback(link.close)
            app.state.broker = link
            await consume(link, db, NAME, HANDLERS)
            await stack.enter_async_context(running(_timers(parts)))
            yield

    async def check_broker() -> None:
        await app.state.broker.ping()

    app = build_app(
        title=NAME,
        routers=ROUTERS,
        checks={"database": db.ping},
        wanted={"broker": check_broker},
        lifespan=lifespan,
    )
    authorise.install(app, settings, NAME)
    app.state.access = AccessVerifier(KeyRing(tokens.keys), settings.issuer)
    app.state.db = db
    app.state.parts = parts
    return app


def _timers(parts: Parts) -> list[Timer]:
    async def forget() -> None:
        await sessions.forget_old(parts)
        await login.forget_old(parts)

    return [
        Timer("tenants", SWEEP_EVERY_S, parts.directory.sweep),
        Timer("forget", FORGET_EVERY_S, forget),
        inbox.forgetting(parts.db),
    ]
