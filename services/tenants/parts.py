"""What the routes work with; `create_app` puts it together once."""

from dataclasses import dataclass
from typing import Annotated

from kit.http import given
from services.tenants.databases.leases import Leases
from services.tenants.databases.provisioning import Provisioning
from services.tenants.databases.space import Space
from services.tenants.databases.targets import RestoreTargets
from services.tenants.databases.upgrading import Upgrades
from services.tenants.feed.announce import Notices
from services.tenants.records.many.slots import Uploads
from tenantdb import TenantDatabases


@dataclass(frozen=True)
class RecordsParts:
    """What work on the records of tenants that exist takes."""

    databases: TenantDatabases
    notices: Notices
    space: Space
    uploads: Uploads


@dataclass(frozen=True)
class TenantsParts(RecordsParts):
    """The whole service: also what makes, leases, exchanges and upgrades tenants' databases."""

    leases: Leases
    provisioning: Provisioning
    restore_targets: RestoreTargets
    upgrades: Upgrades


With = Annotated[TenantsParts, given(TenantsParts)]
WithRecords = Annotated[RecordsParts, given(RecordsParts)]
