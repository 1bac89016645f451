"""What the deeds of this service work with; `create_app` puts it together once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from kit.db import Database
from kit.http import given
from services.auth.access_tokens import AccessTokens
from services.auth.known_tenants import KnownTenants
from services.auth.seating import Seating


@dataclass(frozen=True, slots=True)
class AuthParts:
    db: Database
    seating: Seating
    tokens: AccessTokens
    known_tenants: KnownTenants
    now: Callable[[], datetime]


With = Annotated[AuthParts, given(AuthParts)]
