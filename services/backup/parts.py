"""What the routes work with; `create_app` puts it together once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from kit.db import Database
from services.backup.copy.load import Restores
from services.backup.copy.room import VaultRoom
from services.backup.known_tenants import KnownTenants
from services.backup.runs.runs import Runs


@dataclass(frozen=True)
class Parts:
    """`plans_most` bounds a tenant's open plans, each of which lives for `plan_lives`."""

    db: Database
    known: KnownTenants
    restores: Restores
    runs: Runs
    plan_lives: timedelta
    plans_most: int
    room: VaultRoom


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


With = Annotated[Parts, Depends(_parts)]
