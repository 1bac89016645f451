"""Tenant sessions for routes: who acts stands in the journal, and a commit is made known."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from asyncpg import DeadlockDetectedError, LockNotAvailableError
from fastapi import Request, Response

from contracts.credentials import Actor
from contracts.ids import TenantId
from kit.problems import Conflict
from services.tenants.databases.space import Space
from tenantdb import TenantDatabases, TenantSession


def reading(request: Request, tenant: UUID) -> AbstractAsyncContextManager[TenantSession]:
    """A read session on the tenant's database."""
    databases: TenantDatabases = request.app.state.databases
    return databases.read(TenantId(tenant))


@contextlib.asynccontextmanager
async def writing(request: Request, tenant: UUID, actor: Actor) -> AsyncIterator[TenantSession]:
    """A write session; it has committed, and the notice is on its way, when the block ends.

    Who waits in vain for another writer's locks is told to try again.
    """
    databases: TenantDatabases = request.app.state.databases
    try:
        async with databases.write(TenantId(tenant), actor=f"user:{actor.user}") as session:
            yield session
    except (LockNotAvailableError, DeadlockDetectedError):
        raise Conflict(
            "another request is changing the same records: send this one again"
        ) from None
    request.app.state.notices.advanced(TenantId(tenant))


@contextlib.asynccontextmanager
async def growing(
    request: Request, tenant: UUID, actor: Actor, size: int = 0
) -> AsyncIterator[TenantSession]:
    """A write session for what may need room (`size` bytes came in): SpaceUsedUp without any."""
    space: Space = request.app.state.space
    space.check(TenantId(tenant), size)
    async with writing(request, tenant, actor) as session:
        yield session


def json_bytes(body: bytes | str, status: int = 200) -> Response:
    """JSON that PostgreSQL has made, sent as it is."""
    return Response(body, status, media_type="application/json")
