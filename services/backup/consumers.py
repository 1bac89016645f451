"""What backup does with the notices of others."""

from contracts.events import TenantCreated
from contracts.ids import TenantId
from kit.consuming import Handlers
from kit.db import WriteSession
from services.backup.known_tenants import KnownTenants


def handlers(known: KnownTenants) -> Handlers:
    async def on_created(session: WriteSession, notice: TenantCreated) -> None:
        await known.add(session, TenantId(notice.tenant))

    return {
        TenantCreated: on_created,
    }
