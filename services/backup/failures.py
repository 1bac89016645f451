"""Why a run failed: a closed set of reasons, since a tool's own words may quote customers' data."""

from enum import StrEnum

from kit import logs
from kit.problems import DependencyDown, Problem
from kit.sealing import SealBroken
from services.backup.keyring import KeyMissing
from services.backup.manifest import ManifestRefused
from services.backup.vault import ObjectExists, ObjectMissing, VaultDown

_log = logs.get(__name__)


class Reason(StrEnum):
    """What a caller and an operator may read about a failed run."""

    INTERRUPTED = "interrupted"
    LOCKED_OUT = "tables were locked by another change for too long"
    SOURCE_DOWN = "the tenant's database could not be reached"
    SOURCE_REFUSED = "the tenant's database refused the lease"
    DUMP_FAILED = "pg_dump failed"
    LOAD_FAILED = "pg_restore failed"
    PEER_DOWN = "the tenants service could not be reached"
    PEER_REFUSED = "the tenants service refused"
    KEY_MISSING = "the tenant's key is missing"
    VAULT_FAILED = "the vault could not be read or written"
    BROKEN = "the stored backup is altered or cut"
    DIFFERS = "the restored data differs from the manifest"
    UNEXPECTED = "unexpected error; the log has its place"


class RunFailed(Exception):
    """A run that cannot go on."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


_BY_TYPE: tuple[tuple[type[Exception], Reason], ...] = (
    (KeyMissing, Reason.KEY_MISSING),
    (SealBroken, Reason.BROKEN),
    (ManifestRefused, Reason.BROKEN),
    (ObjectMissing, Reason.BROKEN),
    (ObjectExists, Reason.VAULT_FAILED),
    (VaultDown, Reason.VAULT_FAILED),
    (DependencyDown, Reason.PEER_DOWN),
    (Problem, Reason.PEER_REFUSED),
)


def reason_of(error: Exception) -> Reason:
    """The reason that may be shown; what is not foreseen is logged with its place."""
    if isinstance(error, RunFailed):
        return error.reason
    for kind, reason in _BY_TYPE:
        if isinstance(error, kind):
            return reason
    _log.error("run failed unexpectedly", exc_info=error)
    return Reason.UNEXPECTED
