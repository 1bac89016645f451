"""What the routes work with; `create_app` puts it together once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from kit.db import Database
from kit.http import given
from services.backup.backed_up_tenants import BackedUpTenants
from services.backup.copy.load import Restores
from services.backup.copy.room import VaultRoom
from services.backup.runs.runs import Runs


@dataclass(frozen=True)
class BackupParts:
    """`plans_most` bounds a tenant's open plans, each of which lives for `plan_lives`."""

    db: Database
    known: BackedUpTenants
    restores: Restores
    runs: Runs
    plan_lives: timedelta
    plans_most: int
    room: VaultRoom


With = Annotated[BackupParts, given(BackupParts)]
