"""`python -m services.auth [serve | migrate | first-invitation --email E --output FILE]`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kit import clock, logs
from kit.db import Database
from kit.http import serve
from kit.migrate import migrate
from services.auth.app import NAME, create_app
from services.auth.email_address import EmailAddress
from services.auth.invitation import invite_first_operator
from services.auth.problems import UserExists
from services.auth.settings import AuthSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    arguments = _arguments()
    settings = AuthSettings()
    logs.setup(NAME, settings.log_level)
    match arguments.command:
        case "migrate":
            asyncio.run(migrate(settings.database_url, MIGRATIONS, phase=arguments.phase))
        case "first-invitation":
            _first_invitation(settings, arguments.email, arguments.output)
        case _:
            serve(create_app(settings), settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.auth")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve HTTP until SIGTERM (the default)")
    migrating = commands.add_parser("migrate", help="bring the database up to date")
    migrating.add_argument("--phase", choices=["pre", "post", "all"], default="all")
    first = commands.add_parser("first-invitation", help="invite the first operator")
    first.add_argument("--email", required=True, type=_email)
    first.add_argument("--output", required=True, type=Path, help="new file for the token")
    return parser.parse_args()


def _email(text: str) -> str:
    try:
        return TypeAdapter(EmailAddress).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError("not an e-mail address") from None


def _first_invitation(settings: AuthSettings, email: str, output: Path) -> None:
    """The token goes into a new file that only its owner can read, and nowhere else."""
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        sys.exit(f"cannot make {output}: {error.strerror}")
    with os.fdopen(file, "w") as writing:
        try:
            writing.write(asyncio.run(_invite(settings, email)) + "\n")
        except BaseException as error:
            output.unlink()
            if isinstance(error, UserExists):
                sys.exit("refused: there is an operator already, who can invite others")
            raise


async def _invite(settings: AuthSettings, email: str) -> str:
    db = Database(settings.database_url)
    try:
        return (await invite_first_operator(db, email, clock.now())).token
    finally:
        await db.close()


if __name__ == "__main__":
    main()
