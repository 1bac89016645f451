"""The sync service, wired: the only place where its parts meet."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from fastapi import FastAPI

from contracts import authorise
from contracts.clients import TenantsClient
from kit import inbox
from kit.consuming import consume
from kit.db import Database
from kit.http import build_app
from kit.messaging import Broker
from kit.messaging.amqp import AmqpBroker
from kit.timers import Timer, running
from services.sync.consumers import handlers
from services.sync.egress import Egress
from services.sync.environments import Environments
from services.sync.forgetting import forgetting
from services.sync.keyring import Keyring
from services.sync.ledger import Ledger
from services.sync.push import Pusher
from services.sync.registry import Registry
from services.sync.routes import public_routes, tenant_routes
from services.sync.settings import SyncSettings

NAME = "sync"
_LOCK_TIMEOUT_S = 120.0  # a push holds its lock's transaction for ten times that at most


def create_app(
    settings: SyncSettings,
    *,
    egress: Egress | None = None,
    broker: Broker | None = None,
    tenants: TenantsClient | None = None,
) -> FastAPI:
    """The app. No setting reaches `egress`: only tests and the local launcher pass one."""
    guard = egress or Egress()
    db = Database(settings.database_url, size=settings.workers + 6)
    keyring = Keyring(settings.kek, db)
    environments = Environments(db, keyring, guard, Ledger(db))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        locks = Database(
            settings.database_url, size=settings.workers, statement_timeout_s=_LOCK_TIMEOUT_S
        )
        client = tenants or TenantsClient(
            settings.tenants_url, key=settings.identity_key, service=NAME
        )
        app.state.broker = broker or await AmqpBroker.connect(settings.amqp_url)
        app.state.pusher = Pusher(db, locks, client, keyring, environments, settings)
        subscription = await consume(app.state.broker, db, NAME, handlers(app.state.pusher.wake))
        sweep = Timer("sweep", settings.sweep_s, app.state.pusher.sweep)
        pushing = asyncio.create_task(app.state.pusher.run(), name="pushing")
        old = forgetting(db, timedelta(days=settings.ledger_keep_days))
        timers = [sweep, old, inbox.forgetting(db), authorise.refreshing_keys(app)]
        async with running(timers):
            yield
            await subscription.close()
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        if broker is None:
            await app.state.broker.close()
        if tenants is None:
            await client.aclose()
        await guard.close()
        await locks.close()
        await db.close()

    async def check_broker() -> None:
        await app.state.broker.ping()

    async def check_keys() -> None:
        await app.state.access.check()

    app = build_app(
        title=NAME,
        routers=[tenant_routes, public_routes],
        checks={"database": db.ping, "keys": check_keys},
        wanted={"broker": check_broker},
        lifespan=lifespan,
    )
    app.state.db, app.state.keyring = db, keyring
    app.state.registry = Registry(db, keyring, environments, settings.connections_most)
    app.state.egress_addresses = settings.egress_addresses
    authorise.install(app, settings, NAME)
    return app
