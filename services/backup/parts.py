"""What the routes work with; `create_app` puts it together once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from kit.db import Database
from services.backup.known import KnownTenants
from services.backup.restore import Restores


@dataclass(frozen=True)
class Parts:
    """`plans_most` bounds a tenant's open plans, each of which lives for `plan_lives`."""

    db: Database
    known: KnownTenants
    restores: Restores
    plan_lives: timedelta
    plans_most: int


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


With = Annotated[Parts, Depends(_parts)]
