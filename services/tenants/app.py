"""Puts the tenants service together: the only place that knows all of its parts."""

from dataclasses import dataclass

from fastapi import FastAPI

from contracts.assembly import assemble
from contracts.broker import open_broker
from kit.chassis import Made
from kit.db import Database
from kit.key_proof import key_proof
from kit.messaging import Broker
from kit.sealing import Kek
from kit.timers import Timer
from services.tenants.consumers import handlers
from services.tenants.databases.addresses import Addresses
from services.tenants.databases.leases import Leases
from services.tenants.databases.provisioning import Provisioning
from services.tenants.databases.space import Space
from services.tenants.databases.targets import RestoreTargets
from services.tenants.databases.upgrading import AT_ONCE, Upgrades
from services.tenants.feed.announce import Notices
from services.tenants.parts import TenantsParts
from services.tenants.records.many.slots import Uploads
from services.tenants.routes import (
    changes,
    connections,
    directory,
    field_choices,
    leases,
    many_records,
    modules,
    single_records,
    targets,
)
from services.tenants.settings import TenantsSettings
from tenantdb import TenantDatabases
from tenantdb.cluster import Cluster

NAME = "tenants"
ROUTERS = [
    module.router
    for module in (
        directory,
        leases,
        targets,
        modules,
        many_records,
        single_records,
        field_choices,
        connections,
        changes,
    )
]


@dataclass(frozen=True)
class Hands:
    """What makes, finds and changes tenants' databases: for the service and for its migrations."""

    db: Database
    kek: Kek
    cluster: Cluster
    addresses: Addresses
    databases: TenantDatabases
    provisioning: Provisioning
    upgrades: Upgrades


def create_app(settings: TenantsSettings, *, broker: Broker | None = None) -> FastAPI:
    """`broker` is for tests: another one than the one that the settings name."""
    hands = hands_of(settings)
    db, parts = hands.db, _parts(hands, settings)
    return assemble(
        settings,
        Made(
            name=NAME,
            db=db,
            broker=broker or open_broker(settings.amqp_url),
            routers=ROUTERS,
            handlers=handlers(hands.cluster),
            timers=[
                parts.notices.timer,
                Timer("leases", 30.0, parts.leases.end_overdue),
                Timer("swaps", 15.0, parts.restore_targets.resume_swaps),
                Timer("restore targets", 3600.0, parts.restore_targets.sweep),
                Timer("half-made tenants", 60.0, hands.provisioning.sweep),
                Timer("suspensions", 30.0, hands.provisioning.apply_pending),
                Timer("upgrades", 60.0, hands.upgrades.run),
                Timer("space", 60.0, parts.space.measure),
            ],
            opening=[key_proof(db, hands.kek, NAME, hands.provisioning.check_key)],
            wanted={"tenant databases": hands.upgrades.check},
            closing=[parts.uploads.close, hands.databases.close, parts.notices.close],
            body_limits=many_records.BODY_LIMITS,
            parts=parts,
        ),
    )


def _parts(hands: Hands, settings: TenantsSettings) -> TenantsParts:
    db, cluster, leases_ = hands.db, hands.cluster, Leases(hands.db, hands.cluster)
    return TenantsParts(
        databases=hands.databases,
        notices=Notices(db),
        space=Space(
            db,
            cluster,
            limit=settings.space_per_tenant,
            floor=settings.free_floor,
            volume=settings.data_volume or settings.data_volume_bytes,
        ),
        uploads=Uploads(),
        leases=leases_,
        provisioning=hands.provisioning,
        restore_targets=RestoreTargets(db, cluster, leases_, hands.addresses, hands.databases),
        upgrades=hands.upgrades,
    )


def hands_of(settings: TenantsSettings) -> Hands:
    db = Database(settings.database_url)
    cluster, kek = Cluster(settings.database_url), Kek.from_file(settings.kek_file)
    found = Addresses(db, kek, cluster.host, cluster.port)
    databases = TenantDatabases(
        found.address,
        budget=settings.connection_budget,
        per_tenant=settings.connections_per_tenant,
    )
    provisioning = Provisioning(db, cluster, kek, found, databases)
    at_once = min(AT_ONCE, settings.connection_budget)
    upgrades = Upgrades(db, cluster, found, at_once=at_once)
    return Hands(db, kek, cluster, found, databases, provisioning, upgrades)
