"""`python -m services.backup [serve | migrate]`."""

import argparse
import asyncio
from pathlib import Path

from kit import logs
from kit.http import serve
from kit.migrate import migrate
from services.backup.app import NAME, create_app
from services.backup.settings import BackupSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    arguments = _arguments()
    settings = BackupSettings()
    logs.setup(NAME, settings.log_level)
    match arguments.command:
        case "migrate":
            asyncio.run(migrate(settings.database_url, MIGRATIONS, phase=arguments.phase))
        case _:
            serve(create_app(settings), settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.backup")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve HTTP until SIGTERM (the default)")
    migrating = commands.add_parser("migrate", help="bring the database up to date")
    migrating.add_argument("--phase", choices=["pre", "post", "all"], default="all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
