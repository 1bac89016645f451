"""`python -m services.tenants [serve | migrate]`."""

from pathlib import Path

from contracts.program import Program
from kit.migrate import Phase, migrate
from services.tenants.app import NAME, create_app, hands_of
from services.tenants.settings import TenantsSettings
from tenantdb import template
from tenantdb.cluster import Cluster

MIGRATIONS = Path(__file__).parent / "migrations"


def main() -> None:
    Program(NAME, "services.tenants", TenantsSettings, create_app, _migrate).main()


async def _migrate(settings: TenantsSettings, phase: Phase) -> None:
    await migrate_everything(settings, phase)


async def migrate_everything(settings: TenantsSettings, phase: Phase = "all") -> None:
    """The directory, then the template (new tenants are right), then the tenants that need it.

    The phase is the directory's; template and tenants are brought up to date in each.
    A tenant database that cannot be upgraded stops no start: the log says which and why, and that
    tenant is refused until a later try has succeeded.
    """
    await migrate(settings.database_url, MIGRATIONS, phase=phase)
    await template.build(Cluster(settings.database_url))
    hands = hands_of(settings)
    try:
        await hands.upgrades.run()
    finally:
        await hands.db.close()


if __name__ == "__main__":
    main()
