"""Identifiers: UUIDv7 everywhere, one type each, so that they cannot be mixed up."""

from typing import NewType
from uuid import UUID

from kit.uuid7 import uuid7

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
ConnectionId = NewType("ConnectionId", UUID)
RecordId = NewType("RecordId", UUID)
BackupId = NewType("BackupId", UUID)
RestoreId = NewType("RestoreId", UUID)
LeaseId = NewType("LeaseId", UUID)


def new_id() -> UUID:
    """A fresh UUIDv7; wrap it in the id type that it is for."""
    return uuid7()
