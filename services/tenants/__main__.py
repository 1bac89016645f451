"""`python -m services.tenants [serve | migrate]`."""

import argparse
import asyncio
from pathlib import Path

from kit import logs
from kit.http import serve
from kit.migrate import migrate
from services.tenants.app import NAME, create_app
from services.tenants.settings import TenantsSettings
from tenantdb import template
from tenantdb.cluster import Cluster

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    arguments = _arguments()
    settings = TenantsSettings()
    logs.setup(NAME, settings.log_level)
    if arguments.command == "migrate":
        asyncio.run(migrate_everything(settings))
        return
    serve(create_app(settings), settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.tenants")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve HTTP until SIGTERM (the default)")
    commands.add_parser("migrate", help="bring directory, template and tenant databases up to date")
    return parser.parse_args()


async def migrate_everything(settings: TenantsSettings) -> None:
    """The directory, then the template (new tenants are right), then every existing tenant."""
    await migrate(settings.database_url, MIGRATIONS)
    await template.build(Cluster(settings.database_url))
    app = create_app(settings)
    try:
        await app.state.provisioning.upgrade_all()
    finally:
        await app.state.db.close()


if __name__ == "__main__":
    main()
