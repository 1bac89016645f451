"""Wiring of the gateway: the admin API, the sweep of the directory, and the files of the edge."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from contracts import authorise
from contracts.clients import TenantsClient
from gateway import consumers, pages, routes, store
from gateway.admin import EnvoyAdmin
from gateway.directory import Directory
from gateway.edge import Edge, publish_static
from gateway.settings import GatewaySettings
from kit import inbox
from kit.consuming import consume
from kit.db import Database
from kit.http import build_app
from kit.messaging import Broker
from kit.messaging.amqp import AmqpBroker
from kit.sealing import SigningKey
from kit.timers import Timer, running

SERVICE = "gateway"
_CATCH_UP_S, _SWEEP_S = 0.5, 30.0


def create_app(
    settings: GatewaySettings,
    *,
    broker: Broker | None = None,
    tenants: TenantsClient | None = None,
) -> FastAPI:
    """The admin API with its timers. Tests hand in a broker or a client of their own."""
    db, broker = Database(settings.database_url), broker or AmqpBroker(settings.amqp_url)
    tenants = tenants or _tenants_client(settings)
    admin = EnvoyAdmin(settings.admin_socket)
    edge = Edge(settings, db, admin)
    sweep = Timer("directory", _SWEEP_S, Directory(db, tenants, edge).sweep)
    timers = [Timer("edge", _CATCH_UP_S, edge.catch_up), sweep, inbox.forgetting(db)]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        publish_static(settings)
        async with AsyncExitStack() as stack:
            for close in (db.close, tenants.aclose, broker.close):
                stack.push_async_callback(close)
            await stack.enter_async_context(admin)
            async with db.write() as session:
                await store.seed_global(session, settings.global_ranges)
            await consume(broker, db, SERVICE, consumers.handlers(sweep.wake))
            await stack.enter_async_context(running([*timers, authorise.refreshing_keys(app)]))
            yield

    async def keys() -> None:
        await app.state.access.check()

    app = build_app(
        title=SERVICE,
        routers=[pages.router, routes.router],
        checks={"database": db.ping, "keys": keys},
        wanted={"broker": broker.ping},
        lifespan=lifespan,
    )
    authorise.install(app, settings, SERVICE)
    app.state.db, app.state.edge = db, edge
    return app


def _tenants_client(settings: GatewaySettings) -> TenantsClient:
    key = SigningKey.from_file(settings.identity_key_file)
    return TenantsClient(settings.tenants_url, key=key, service=SERVICE)
