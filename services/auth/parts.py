"""What the deeds of this service work with; `create_app` puts it together once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from kit.db import Database
from services.auth.access_tokens import AccessTokens
from services.auth.directory import Directory
from services.auth.seating import Seating


@dataclass(frozen=True, slots=True)
class Parts:
    db: Database
    seating: Seating
    tokens: AccessTokens
    directory: Directory
    now: Callable[[], datetime]


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


With = Annotated[Parts, Depends(_parts)]
