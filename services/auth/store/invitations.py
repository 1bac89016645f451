"""Open invitations: one a user, hashed, gone once it is accepted."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId, UserId
from kit.db import ReadSession, WriteSession
from services.auth.store.users import User
from services.auth.tables import invitation, users


async def put(session: WriteSession, user: UserId, token_hash: bytes, ends: datetime) -> None:
    """A new invitation takes the place of an earlier one."""
    values = {"token_hash": token_hash, "expires_at": ends}
    row = insert(invitation).values(user_id=user, **values)
    await session.run(row.on_conflict_do_update(index_elements=["user_id"], set_=values))


async def find(
    session: ReadSession, tenant: TenantId | None, token_hash: bytes, now: datetime
) -> User | None:
    """Whom a valid invitation is for."""
    row = await session.first(
        select(users)
        .join(invitation, invitation.c.user_id == users.c.id)
        .where(
            invitation.c.token_hash == token_hash,
            invitation.c.expires_at > now,
            users.c.tenant == tenant,
        )
    )
    return None if row is None else User(**row)


async def take(session: WriteSession, token_hash: bytes) -> bool:
    """Use it up; of two at the same time one gets True."""
    return await session.run(delete(invitation).where(invitation.c.token_hash == token_hash)) == 1
