"""`python -m services.auth [serve | migrate | first-invitation --email E --output FILE]`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from contracts.program import Command, Program, migrating
from kit import clock
from kit.db import Database
from services.auth.app import NAME, create_app
from services.auth.email_address import EmailAddress
from services.auth.invitation import invite_first_operator
from services.auth.problems import UserExists
from services.auth.settings import AuthSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    first = Command("first-invitation", "invite the first operator", _add_arguments, _invite_first)
    Program(
        NAME, "services.auth", AuthSettings, create_app, migrating(MIGRATIONS), commands=[first]
    ).main()


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--email", required=True, type=_email)
    parser.add_argument("--output", required=True, type=Path, help="new file for the token")


def _invite_first(settings: AuthSettings, given: argparse.Namespace) -> None:
    _first_invitation(settings, given.email, given.output)


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
