"""Faulty logins in a row by name, known or not, so that the two cannot be told apart."""

from datetime import datetime
from hashlib import blake2b

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from contracts.ids import TenantId
from kit.db import WriteSession
from services.auth.lockout import Attempts, ClientClass
from services.auth.tables import login_attempt as table

Name = tuple[bytes, ClientClass]
BATCH = 5_000


def name_of(tenant: TenantId | None, email: str, client: ClientClass) -> Name:
    return _hashed(tenant, email), client


async def lock(session: WriteSession, name: Name, now: datetime) -> Attempts:
    """The count so far; logins of the same name wait for the end of this transaction."""
    row = insert(table).values(name_hash=name[0], client_class=name[1], last_at=now)
    found = await session.first(
        row.on_conflict_do_update(
            index_elements=[table.c.name_hash, table.c.client_class], set_={"last_at": now}
        ).returning(table.c.faulty, table.c.blocked_until)
    )
    assert found is not None
    return Attempts(**found)


async def save(session: WriteSession, name: Name, attempts: Attempts) -> None:
    values = {"faulty": attempts.faulty, "blocked_until": attempts.blocked_until}
    where = (table.c.name_hash == name[0]) & (table.c.client_class == name[1])
    await session.run(update(table).where(where).values(values))


async def clear(session: WriteSession, tenant: TenantId | None, email: str) -> None:
    """Of every client class; waits for an attempt that is being looked at, which counts no more."""
    mine = table.c.name_hash == _hashed(tenant, email)
    await session.run(delete(table).where(mine))


async def forget(session: WriteSession, before: datetime) -> bool:
    """Some of them; False once none are left. A flood leaves more than one statement may delete."""
    key, old = (table.c.name_hash, table.c.client_class), table.c.last_at < before
    some = select(*key).where(old).limit(BATCH)
    # asked twice: a name that is tried again meanwhile is not old any more
    return await session.run(delete(table).where(old, tuple_(*key).in_(some))) > 0


def _hashed(tenant: TenantId | None, email: str) -> bytes:
    realm = "operators" if tenant is None else str(tenant)
    return blake2b(f"{realm}\n{email}".encode(), digest_size=32).digest()
