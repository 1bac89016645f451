"""Puts the tenants service together: the only place that knows all of its parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from fastapi import FastAPI

from contracts import authorise
from kit import inbox
from kit.consuming import consume
from kit.db import Database
from kit.http import build_app
from kit.messaging import Broker
from kit.messaging.amqp import AmqpBroker
from kit.sealing import Kek
from kit.timers import Timer, running
from services.tenants.consumers import handlers
from services.tenants.directory import Directory
from services.tenants.leases import Leases
from services.tenants.notices import Notices
from services.tenants.provisioning import Provisioning
from services.tenants.restore_targets import RestoreTargets
from services.tenants.routes import (
    bulk,
    changes,
    directory,
    field_choices,
    leases,
    modules,
    records,
    restores,
)
from services.tenants.settings import TenantsSettings
from services.tenants.uploads import Uploads
from tenantdb import TenantDatabases
from tenantdb.cluster import Cluster

NAME = "tenants"


def create_app(settings: TenantsSettings, *, broker: Broker | None = None) -> FastAPI:
    """`broker` is for tests: another one than the one that the settings name."""
    db = Database(settings.database_url)
    cluster, kek = Cluster(settings.database_url), Kek.from_file(settings.kek_file)
    found = Directory(db, kek, cluster.host, cluster.port)
    databases = TenantDatabases(
        found.address,
        budget=settings.connection_budget,
        per_tenant=settings.connections_per_tenant,
    )
    notices = Notices(db, databases)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(db.close)
            stack.push_async_callback(databases.close)
            link = broker or await AmqpBroker.connect(settings.amqp_url)
            stack.push_async_callback(link.close)
            app.state.broker = link
            await stack.enter_async_context(_running(notices))
            await consume(link, db, NAME, handlers(cluster))
            await stack.enter_async_context(running(_timers(app, db)))
            yield

    async def check_keys() -> None:
        await app.state.access.check()

    async def check_broker() -> None:
        await app.state.broker.ping()

    app = build_app(
        title=NAME,
        routers=[
            directory.router,
            leases.router,
            restores.router,
            modules.router,
            bulk.router,
            records.router,
            field_choices.router,
            changes.router,
        ],
        checks={"database": db.ping, "keys": check_keys},
        wanted={"broker": check_broker},
        lifespan=lifespan,
        body_limits=bulk.BODY_LIMITS,
    )
    authorise.install(app, settings, NAME)
    app.state.db, app.state.databases, app.state.notices = db, databases, notices
    app.state.uploads = Uploads()
    app.state.leases = Leases(db, cluster)
    app.state.provisioning = Provisioning(db, cluster, kek, found, databases)
    app.state.restore_targets = RestoreTargets(db, cluster, app.state.leases, found, databases)
    return app


@asynccontextmanager
async def _running(notices: Notices) -> AsyncIterator[None]:
    task = asyncio.create_task(notices.run(), name="notices")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _timers(app: FastAPI, db: Database) -> list[Timer]:
    return [
        Timer("leases", 30.0, app.state.leases.end_overdue),
        Timer("swaps", 15.0, app.state.restore_targets.resume_swaps),
        Timer("restore targets", 3600.0, app.state.restore_targets.sweep),
        Timer("half-made tenants", 60.0, app.state.provisioning.sweep),
        Timer("suspensions", 30.0, app.state.provisioning.apply_pending),
        inbox.forgetting(db),
        authorise.refreshing_keys(app),
    ]
