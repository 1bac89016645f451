"""`python -m services.sync [serve | migrate]`: the process, and what prepares its database."""

from pathlib import Path

from contracts.program import Program, migrating
from services.sync.app import NAME, create_app
from services.sync.settings import SyncSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    Program(NAME, "services.sync", SyncSettings, create_app, migrating(MIGRATIONS)).main()


if __name__ == "__main__":
    main()
