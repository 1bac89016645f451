"""`python -m services.sync [serve | migrate]`: the process, and what prepares its database."""

import argparse
import asyncio
from pathlib import Path

from kit import logs
from kit.http import serve
from kit.migrate import migrate
from services.sync.app import NAME, create_app
from services.sync.settings import SyncSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    arguments = _arguments()
    settings = SyncSettings()
    logs.setup(NAME, settings.log_level)
    if arguments.command == "migrate":
        asyncio.run(migrate(settings.database_url, MIGRATIONS, phase=arguments.phase))
        return
    serve(create_app(settings), settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.sync")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve HTTP and push until SIGTERM (the default)")
    migrating = commands.add_parser("migrate", help="bring the database up to date")
    migrating.add_argument("--phase", choices=["pre", "post", "all"], default="all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
