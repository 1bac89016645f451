"""Wiring of the gateway: the admin API, the sweep of the directory, and the files of the edge."""

from fastapi import FastAPI

from contracts.assembly import assemble
from contracts.broker import open_broker
from contracts.clients import TenantsClient
from gateway import api_document, consumers, docs_page, problem_pages, remarks, routes, store
from gateway.edge import Edge, publish_static
from gateway.envoy_admin import EnvoyAdmin
from gateway.parts import GatewayParts
from gateway.settings import GatewaySettings
from gateway.suspensions import Suspensions
from kit import logs
from kit.chassis import Made
from kit.db import Database
from kit.messaging import Broker
from kit.sealing import SigningKey
from kit.timers import Timer

SERVICE = "gateway"
ROUTERS = [problem_pages.router, api_document.router, docs_page.router, routes.router]
_log = logs.get(__name__)
_CATCH_UP_S, _SWEEP_S = 0.5, 30.0


def create_app(
    settings: GatewaySettings,
    *,
    broker: Broker | None = None,
    tenants: TenantsClient | None = None,
) -> FastAPI:
    """The admin API with its timers. Tests hand in a broker or a client of their own."""
    db = Database(settings.database_url)
    tenants = tenants or _tenants_client(settings)
    admin = EnvoyAdmin(settings.admin_socket)
    edge = Edge(settings, db, admin)
    sweep = Timer("directory", _SWEEP_S, Suspensions(db, tenants, edge).sweep)

    async def publish() -> None:
        publish_static(settings)

    async def seed() -> None:
        async with db.write() as session:
            await store.seed_global(session, settings.global_ranges)

    async def remark() -> None:
        async with db.read() as session:
            global_list = await store.find(session, store.GLOBAL)
        for sentence in remarks.of(settings, global_list.ranges if global_list else ()):
            _log.warning(sentence)

    return assemble(
        settings,
        Made(
            name=SERVICE,
            db=db,
            broker=broker or open_broker(settings.amqp_url),
            routers=ROUTERS,
            handlers=consumers.handlers(sweep.wake),
            timers=[Timer("edge", _CATCH_UP_S, edge.catch_up), sweep],
            opening=[publish, seed, remark, docs_page.load],
            closing=[tenants.aclose, admin.aclose],
            parts=GatewayParts(db, edge),
        ),
    )


def _tenants_client(settings: GatewaySettings) -> TenantsClient:
    key = SigningKey.from_file(settings.identity_key_file)
    return TenantsClient(settings.tenants_url, key=key, service=SERVICE)
