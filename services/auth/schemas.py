"""What callers send and get; secrets are never part of an error."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from contracts.credentials import ACCESS_LIFETIME_S
from contracts.ids import TenantId
from contracts.schema import WHOLE, Strict, Time
from services.auth.email_address import EmailAddress
from services.auth.levels import LEVELS, Realm

Secret = Annotated[SecretStr, Field(min_length=1, max_length=1024)]
_LEVELS: dict[str, Any] = {"enum": sorted({*LEVELS["tenant"], *LEVELS["operators"]})}
LevelNumber = Annotated[int, Field(ge=1, le=99, json_schema_extra=_LEVELS), WHOLE]


class LoginRequest(Strict):
    email: EmailAddress
    password: Secret


class Acceptance(Strict):
    token: Secret
    password: Secret


class Refresh(Strict):
    refresh_token: Secret


class OperatorInvitation(Strict):
    """`tenant` null invites another operator."""

    tenant: Annotated[TenantId, Field(strict=False)] | None
    email: EmailAddress
    level: LevelNumber


class UserInvitation(Strict):
    email: EmailAddress
    level: LevelNumber


class LevelChange(Strict):
    level: LevelNumber


class Invited(Strict):
    """`invitation` is the one-time token; it is shown this once."""

    invitation: str
    expires_at: Time


class Joined(Strict):
    user: UUID


class TokenPair(Strict):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the scheme
    expires_in: int = ACCESS_LIFETIME_S
    refresh_token: str


class UserView(Strict):
    """`state` is invited or joined."""

    id: UUID
    email: str
    level: int
    state: Literal["invited", "joined"]
    invited_at: Time
    joined_at: Time | None


class UserList(Strict):
    users: list[UserView]


class Me(Strict):
    """`access` maps each granted permission to its scope."""

    user: UUID
    realm: Realm
    tenant: UUID | None
    email: str
    level: int
    access: dict[str, str]


class KeySetDocument(Strict):
    keys: list[dict[str, str]]
