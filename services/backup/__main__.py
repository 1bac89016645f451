"""`python -m services.backup [serve | migrate]`."""

from pathlib import Path

from contracts.program import Program, migrating
from services.backup.app import NAME, create_app
from services.backup.settings import BackupSettings

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    Program(NAME, "services.backup", BackupSettings, create_app, migrating(MIGRATIONS)).main()


if __name__ == "__main__":
    main()
