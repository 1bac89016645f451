"""What the routes work with; `create_app` puts it together once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from kit.db import Database
from kit.http import given
from services.sync.changing import Changes
from services.sync.comparison import Comparing
from services.sync.dry_run import DryRuns
from services.sync.known_mappings import KnownMappings
from services.sync.push import Pusher
from services.sync.registry import Registry
from services.sync.rotating import Rotating
from services.sync.tenant_keys import TenantKeys
from services.sync.unlearning import Unlearning


@dataclass(frozen=True)
class SyncParts:
    """`egress_addresses` are those that calls to CRMs come from, published as they are."""

    db: Database
    registry: Registry
    changes: Changes
    dry_runs: DryRuns
    pusher: Pusher
    keyring: TenantKeys
    egress_addresses: Sequence[str]
    rotating: Rotating
    known_mappings: KnownMappings
    comparing: Comparing
    unlearning: Unlearning


With = Annotated[SyncParts, given(SyncParts)]
