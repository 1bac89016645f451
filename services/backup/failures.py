"""Why a run failed: a closed set of reasons, since a tool's own words may quote customers' data."""

import errno
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, InterfaceError

from kit import logs
from kit.problems import DependencyDown, Problem
from kit.sealing import SealBroken
from services.backup.vault.key_files import KeyMissing, KeyringBroken, KeyringMissing, KeyUnopened
from services.backup.vault.manifest import ManifestRefused
from services.backup.vault.objects import (
    ObjectExists,
    ObjectMissing,
    VaultDown,
    VaultFull,
    VaultReadOnly,
)

_log = logs.get(__name__)


class FailureReason(StrEnum):
    """What a caller and an operator may read about a failed run."""

    INTERRUPTED = "interrupted"
    LOCKED_OUT = "tables were locked by another change for too long"
    SOURCE_DOWN = "the tenant's database could not be reached"
    SOURCE_REFUSED = "the tenant's database refused the lease"
    DUMP_FAILED = "pg_dump failed"
    LOAD_FAILED = "pg_restore failed"
    PEER_DOWN = "the tenants service could not be reached"
    PEER_REFUSED = "the tenants service refused"
    DATABASE_DOWN = "backup's own database could not be reached"
    TARGET_FULL = "the disk of the tenant's database is full"
    KEYRING_MISSING = "the tenant's keyring is missing"
    KEYRING_BROKEN = "the tenant's keyring is cut or altered"
    KEY_MISSING = "the tenant's keyring lacks the key of this backup"
    KEY_UNOPENED = "the tenant's key does not open: another KEK, or an altered keyring"
    VAULT_FAILED = "the vault could not be read or written"
    VAULT_FULL = "the vault's disk is full"
    VAULT_READ_ONLY = "the vault is read-only or closed to the service"
    SHARE_FULL = "the tenant's share of the vault is full"
    VAULT_LOW = "the vault's disk is nearly full: the largest tenants' backups stop first"
    DISK_FULL = "the disk for keyrings or temporary files is full"
    DISK_READ_ONLY = "a keyring or temporary file is read-only or closed to the service"
    KILLED = "pg_dump or pg_restore was killed"
    BROKEN = "the stored backup is altered or cut"
    REFUSED = "the manifest is altered or not ours"
    GONE = "the stored backup is not in the vault"
    DIFFERS = "the restored data differs from the manifest"
    UNEXPECTED = "unexpected error; the log has its place"


ALTERED = {FailureReason.BROKEN, FailureReason.DIFFERS}
LOST = {*ALTERED, FailureReason.REFUSED, FailureReason.GONE}
"""What says that the backup is no good, and not only that something else was."""


class RunFailed(Exception):
    """A run that cannot go on."""

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


_BY_TYPE: tuple[tuple[type[Exception], FailureReason], ...] = (
    (KeyringMissing, FailureReason.KEYRING_MISSING),
    (KeyMissing, FailureReason.KEY_MISSING),
    (KeyringBroken, FailureReason.KEYRING_BROKEN),
    (KeyUnopened, FailureReason.KEY_UNOPENED),
    (SealBroken, FailureReason.BROKEN),
    (ManifestRefused, FailureReason.REFUSED),
    (ObjectMissing, FailureReason.GONE),
    (ObjectExists, FailureReason.VAULT_FAILED),
    (VaultFull, FailureReason.VAULT_FULL),
    (VaultReadOnly, FailureReason.VAULT_READ_ONLY),
    (VaultDown, FailureReason.VAULT_FAILED),
    (DependencyDown, FailureReason.PEER_DOWN),
    (Problem, FailureReason.PEER_REFUSED),
    (DBAPIError, FailureReason.DATABASE_DOWN),
    (InterfaceError, FailureReason.DATABASE_DOWN),
    (ConnectionError, FailureReason.DATABASE_DOWN),
)
_BY_NUMBER = {
    errno.ENOSPC: FailureReason.DISK_FULL,
    errno.EDQUOT: FailureReason.DISK_FULL,
    errno.EROFS: FailureReason.DISK_READ_ONLY,
    errno.EACCES: FailureReason.DISK_READ_ONLY,
    errno.EPERM: FailureReason.DISK_READ_ONLY,
}


def reason_of(error: Exception) -> FailureReason:
    """The reason that may be shown; what is not foreseen is logged with its place."""
    if isinstance(error, RunFailed):
        return error.reason
    for kind, reason in _BY_TYPE:
        if isinstance(error, kind):
            return reason
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    _log.error("run failed unexpectedly", exc_info=error)
    return FailureReason.UNEXPECTED
