"""Puts the sync service together: registry, guard, pusher, and the messages that wake it."""

from datetime import timedelta

from fastapi import FastAPI

from contracts.assembly import assemble
from contracts.broker import open_broker
from contracts.clients import TenantsClient
from kit.chassis import Made
from kit.db import Database
from kit.key_proof import key_proof
from kit.messaging import Broker
from kit.timers import Timer
from services.sync.changing import Changes
from services.sync.comparison import Comparing
from services.sync.consumers import handlers
from services.sync.credential_routes import credential_routes
from services.sync.dry_run import DryRuns
from services.sync.egress import Egress
from services.sync.environments import Environments
from services.sync.expiries import Expiries
from services.sync.forgetting import forgetting
from services.sync.known_mappings import KnownMappings
from services.sync.lag import Lag
from services.sync.ledger import Ledger
from services.sync.parts import SyncParts
from services.sync.probes import Probes
from services.sync.push import Pusher
from services.sync.registry import Registry
from services.sync.rotating import Rotating
from services.sync.routes import public_routes, tenant_routes
from services.sync.second_looks import SecondLooks
from services.sync.settings import SyncSettings
from services.sync.suspended_tenants import SuspendedTenants
from services.sync.tenant_keys import TenantKeys
from services.sync.unlearning import Unlearning
from services.sync.watching import watching_routes

NAME = "sync"
ROUTERS = [tenant_routes, watching_routes, credential_routes, public_routes]
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
    keyring = TenantKeys(settings.kek, db)
    environments = Environments(db, keyring, guard, Ledger(db))

    locks = Database(
        settings.database_url, size=settings.workers, statement_timeout_s=_LOCK_TIMEOUT_S
    )
    client = tenants or TenantsClient(settings.tenants_url, key=settings.identity_key, service=NAME)
    probes = Probes(environments)
    registry = Registry(db, environments, probes, settings.connections_most)
    changes = Changes(db, environments, probes)
    dry_runs = DryRuns(db, client, keyring, environments, probes)
    pusher = Pusher(db, locks, client, keyring, environments, settings)
    unlearning = Unlearning(db, settings.sweep_s, pusher.wake)
    looks = SecondLooks(db, environments, probes, pusher.wake)
    rotating = Rotating(environments, probes, pusher.wake)
    suspended = SuspendedTenants(db, client, pusher.wake)
    looking = Timer("tenants", settings.sweep_s, suspended.look)

    known = KnownMappings(db, client, settings.sweep_s)
    lag = Lag(db, late_s=4 * settings.sweep_s)

    async def sweep() -> None:
        await suspended.look()  # first of all: nothing goes out on what was known yesterday
        await pusher.sweep()

    return assemble(
        settings,
        Made(
            name=NAME,
            db=db,
            broker=broker or open_broker(settings.amqp_url),
            routers=ROUTERS,
            handlers=handlers(pusher.wake, looking.wake),
            opening=[key_proof(db, settings.kek, NAME, keyring.check)],
            loops=pusher.loops(),
            timers=[
                looking,
                Timer("sweep", settings.sweep_s, sweep),
                Timer("second looks", settings.sweep_s, looks.look),
                Timer("known mappings", settings.sweep_s, known.sweep),
                Timer("lag", settings.sweep_s, lag.look),
                rotating.timer(),
                unlearning.timer,
                Expiries(db).timer(),
                forgetting(db, timedelta(days=settings.ledger_keep_days), settings.push_s),
            ],
            closing=[locks.close, guard.close, client.aclose, pusher.forget_wakes, looks.close],
            parts=SyncParts(
                db=db,
                registry=registry,
                changes=changes,
                dry_runs=dry_runs,
                pusher=pusher,
                keyring=keyring,
                egress_addresses=settings.egress_addresses,
                rotating=rotating,
                known_mappings=known,
                comparing=Comparing(db, client),
                unlearning=unlearning,
            ),
        ),
    )
