"""Tenant sessions for routes: who acts stands in the journal, and a commit is made known."""

import contextlib
from collections.abc import AsyncIterator

from asyncpg import DeadlockDetectedError, LockNotAvailableError
from fastapi import Response

from contracts.credentials import Actor
from contracts.ids import TenantId
from kit.problems import Conflict
from services.tenants.parts import RecordsParts
from tenantdb import TenantSession


@contextlib.asynccontextmanager
async def writing(
    parts: RecordsParts, tenant: TenantId, actor: Actor
) -> AsyncIterator[TenantSession]:
    """A write session; it has committed, and the notice is on its way, when the block ends.

    Who waits in vain for another writer's locks is told to try again.
    """
    try:
        async with parts.databases.write(tenant, actor=f"user:{actor.user}") as session:
            yield session
    except (LockNotAvailableError, DeadlockDetectedError):
        raise Conflict(
            "another request is changing the same records: send this one again"
        ) from None
    parts.notices.advanced(tenant)


@contextlib.asynccontextmanager
async def growing(
    parts: RecordsParts, tenant: TenantId, actor: Actor, size: int = 0
) -> AsyncIterator[TenantSession]:
    """A write session for what may need room (`size` bytes came in): SpaceUsedUp without any."""
    parts.space.check(tenant, size)
    async with writing(parts, tenant, actor) as session:
        yield session


def json_bytes(body: bytes | str, status: int = 200) -> Response:
    """JSON that PostgreSQL has made, sent as it is."""
    return Response(body, status, media_type="application/json")
