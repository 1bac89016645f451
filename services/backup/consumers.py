"""What backup does with the notices of others."""

from contracts.events import TenantCreated
from contracts.ids import TenantId
from kit.consuming import Handlers
from kit.db import WriteSession
from services.backup.backed_up_tenants import BackedUpTenants


def handlers(known: BackedUpTenants) -> Handlers:
    async def on_created(session: WriteSession, notice: TenantCreated) -> None:
        await known.add(session, TenantId(notice.tenant))

    return {
        TenantCreated: on_created,
    }
