"""Puts the backup service together: the only place that knows all of its parts."""

import asyncio
from datetime import timedelta

from fastapi import FastAPI

from contracts.assembly import assemble
from contracts.broker import open_broker
from contracts.clients import TenantsClient
from kit.chassis import Made
from kit.db import Database
from kit.key_proof import key_proof
from kit.messaging import Broker
from kit.sealing import Kek, SigningKey
from kit.timers import Timer
from services.backup.backed_up_tenants import BackedUpTenants
from services.backup.consumers import handlers
from services.backup.copy.load import Restores
from services.backup.copy.pg_tools import PgTools
from services.backup.copy.room import VaultRoom
from services.backup.copy.take import Fulls
from services.backup.copy.verify import BackupVerifier
from services.backup.forgetting import forgetting
from services.backup.parts import BackupParts
from services.backup.routes import router
from services.backup.runs.daily import queue_due
from services.backup.runs.full import FullRun
from services.backup.runs.restore import RestoreRun
from services.backup.runs.runs import RunLimits, Runs
from services.backup.runs.stocktake import Stocktake
from services.backup.settings import BackupSettings
from services.backup.vault.catalogue import Catalogue
from services.backup.vault.key_files import KeyFiles
from services.backup.vault.objects import Vault

NAME = "backup"
ROUTERS = [router]


def create_app(
    settings: BackupSettings,
    *,
    broker: Broker | None = None,
    tenants: TenantsClient | None = None,
) -> FastAPI:
    """The overrides are for tests: another broker, another way to the tenants service."""
    db = Database(settings.database_url)
    tenants = tenants or TenantsClient(
        settings.tenants_url, key=SigningKey.from_file(settings.identity_key_file), service=NAME
    )
    leftovers_after = timedelta(seconds=settings.leftovers_after_s)
    kek = Kek.from_file(settings.kek_file)
    keyring = KeyFiles(settings.keyring_dir, kek)
    manifest_key = SigningKey.from_file(settings.manifest_key_file)
    catalogue = Catalogue(Vault.local(settings.vault_dir), manifest_key)
    room = VaultRoom(catalogue.vault, settings.share_bytes, settings.free_floor)
    tools = PgTools.find(settings.pg_bin_dir)
    known = BackedUpTenants(db, keyring, tenants)
    restores = Restores(catalogue, keyring, tenants, tools)
    plan_lives = timedelta(seconds=settings.plan_lives_s)
    stocktake = Stocktake(db, catalogue, leftovers_after)
    fulls = Fulls(catalogue, keyring, tenants, tools, room)
    verifier = BackupVerifier(catalogue, keyring, tools)
    runs = Runs(
        db,
        {
            "restore": RestoreRun(restores, tenants),  # first, for somebody waits
            "full": FullRun(db, fulls, verifier, stocktake),
        },
        RunLimits(settings.runs_at_once, settings.turn_s, settings.tick_s),
    )

    async def queue_daily() -> None:
        await queue_due(db)
        runs.wake()

    async def take_stock() -> None:
        await stocktake.sweep(runs.hold)

    async def check_keyring() -> None:
        await asyncio.to_thread(keyring.check)

    async def check_vault() -> None:
        await catalogue.vault.list("readiness")

    return assemble(
        settings,
        Made(
            name=NAME,
            db=db,
            broker=broker or open_broker(settings.amqp_url),
            routers=ROUTERS,
            handlers=handlers(known),
            timers=[
                runs.timer,
                Timer("daily fulls", settings.schedule_s, queue_daily),
                Timer("tenants", settings.sweep_s, known.sweep),
                Timer("stocktaking", settings.stocktaking_s, take_stock),
                forgetting(db, plan_lives),
            ],
            opening=[key_proof(db, kek, NAME, check_keyring)],
            needed={"vault": check_vault},
            closing=[tenants.aclose, runs.stop],
            parts=BackupParts(db, known, restores, runs, plan_lives, settings.plans_most, room),
        ),
    )
