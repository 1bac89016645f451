"""Every event of the suite. Notices carry ids, positions, times and enums, nothing else.

`readers` are the services that act on an event; each has one queue for all that it reads, so one of
a service's replicas works on it. What every replica has to know it asks for by itself, often. An
event that nobody reads yet is not sent.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import model_validator

from kit.notice import Notice


class TenantCreated(Notice):
    """A tenant has its own database and may be used."""

    topic: ClassVar[str] = "tenants.tenant.created.v1"
    readers: ClassVar[tuple[str, ...]] = ("auth", "backup")
    tenant: UUID


class TenantSuspended(Notice):
    """A tenant may not be used until it is resumed."""

    topic: ClassVar[str] = "tenants.tenant.suspended.v1"
    readers: ClassVar[tuple[str, ...]] = ("auth", "gateway", "sync")
    tenant: UUID


class TenantResumed(Notice):
    """A suspended tenant may be used again."""

    topic: ClassVar[str] = "tenants.tenant.resumed.v1"
    readers: ClassVar[tuple[str, ...]] = ("auth", "gateway", "sync")
    tenant: UUID


class JournalAdvanced(Notice):
    """A tenant's journal has advanced: who follows it has something to ask for."""

    topic: ClassVar[str] = "tenants.journal.advanced.v1"
    readers: ClassVar[tuple[str, ...]] = ("sync",)
    tenant: UUID

    @model_validator(mode="before")
    @classmethod
    def _drop_position(cls, given: Any) -> Any:
        """Notices of 0.1 carry a position that nobody reads; some may still wait somewhere."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if name != "position"}


class DatabaseSwapped(Notice):
    """A restored database has taken the place of a tenant's old one: positions start anew."""

    topic: ClassVar[str] = "tenants.database.swapped.v1"
    readers: ClassVar[tuple[str, ...]] = ("sync",)
    tenant: UUID
    restore: UUID


class FieldChoiceChanged(Notice):
    """The customer has changed which fields may leave over a connection."""

    topic: ClassVar[str] = "tenants.field_choice.changed.v1"
    readers: ClassVar[tuple[str, ...]] = ("sync",)
    tenant: UUID
    connection: UUID


class UserInvited(Notice):
    """Somebody has been invited; tenant is None for operators."""

    topic: ClassVar[str] = "auth.user.invited.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID | None
    user: UUID


class UserJoined(Notice):
    """An invitation has been accepted."""

    topic: ClassVar[str] = "auth.user.joined.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID | None
    user: UUID


class SessionRevoked(Notice):
    """A session has ended before its time: log-out, or reuse of an old refresh token."""

    topic: ClassVar[str] = "auth.session.revoked.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID | None
    user: UUID
    session: UUID


class AccountLocked(Notice):
    """Too many faulty logins in a row; no login until the given time."""

    topic: ClassVar[str] = "auth.account.locked.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID | None
    user: UUID
    until: datetime


class LevelChanged(Notice):
    """A user's access level has changed; tokens of older level versions are out of date."""

    topic: ClassVar[str] = "auth.level.changed.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID | None
    user: UUID


class ConnectionCreated(Notice):
    """A connection to a CRM has been probed and saved."""

    topic: ClassVar[str] = "sync.connection.created.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    connection: UUID


class ConnectionChanged(Notice):
    """A connection's state, credentials or mapping has changed."""

    topic: ClassVar[str] = "sync.connection.changed.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    connection: UUID


class ConnectionRemoved(Notice):
    """A connection has been removed; its ledger is kept."""

    topic: ClassVar[str] = "sync.connection.removed.v1"
    readers: ClassVar[tuple[str, ...]] = ("tenants",)
    tenant: UUID
    connection: UUID


class ConnectionBroken(Notice):
    """A connection sends nothing any more until somebody has mended it; its reason says what."""

    topic: ClassVar[str] = "sync.connection.broken.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    connection: UUID
    at: datetime


class CredentialExpiring(Notice):
    """A credential of a connection ends in 30, 14, 7 days or in one: told once for each."""

    topic: ClassVar[str] = "sync.credential.expiring.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    connection: UUID
    credential: UUID
    expires_at: datetime


class RowsParked(Notice):
    """Rows of a connection were parked: somebody has to look; told at most once an hour."""

    topic: ClassVar[str] = "sync.rows.parked.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    connection: UUID
    at: datetime


class PushFinished(Notice):
    """Everything known for a connection has been sent or parked."""

    topic: ClassVar[str] = "sync.push.finished.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    connection: UUID
    at: datetime


class BackupCompleted(Notice):
    """A full backup of a tenant is stored and verified."""

    topic: ClassVar[str] = "backup.backup.completed.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    backup: UUID


class BackupFailed(Notice):
    """A full backup of a tenant did not complete."""

    topic: ClassVar[str] = "backup.backup.failed.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    backup: UUID


class RestoreCompleted(Notice):
    """A tenant has been restored from a backup."""

    topic: ClassVar[str] = "backup.restore.completed.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID
    restore: UUID


class AllowlistChanged(Notice):
    """The address ranges of a tenant (None: of the whole edge) have changed."""

    topic: ClassVar[str] = "gateway.allowlist.changed.v1"
    readers: ClassVar[tuple[str, ...]] = ()
    tenant: UUID | None


EVENTS: tuple[type[Notice], ...] = (
    TenantCreated,
    TenantSuspended,
    TenantResumed,
    JournalAdvanced,
    DatabaseSwapped,
    FieldChoiceChanged,
    UserInvited,
    UserJoined,
    SessionRevoked,
    AccountLocked,
    LevelChanged,
    ConnectionCreated,
    ConnectionChanged,
    ConnectionRemoved,
    ConnectionBroken,
    CredentialExpiring,
    RowsParked,
    PushFinished,
    BackupCompleted,
    BackupFailed,
    RestoreCompleted,
    AllowlistChanged,
)
"""The registry: what is not listed here is not an event."""


def topics_of(service: str) -> tuple[str, ...]:
    """What the queue of a service is bound to, sorted; empty where it reads nothing."""
    return tuple(sorted(event.topic for event in EVENTS if service in event.readers))


READERS = tuple(sorted({reader for event in EVENTS for reader in event.readers}))
"""The services that have a queue."""
