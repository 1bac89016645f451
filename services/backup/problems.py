"""The situations that only the backup service knows."""

from kit.problems import Problem


class BackupNotFound(Problem, status=404, slug="backup-not-found"):
    """Backup not found

    There is no such backup of this tenant. List the backups to see which there are.
    """


class BackupNotRestorable(Problem, status=409, slug="backup-not-restorable"):
    """Backup not restorable

    Only a verified backup can be restored: this one is still being taken, failed, expired, or was
    found broken or missing.
    """


class BackupIsBroken(Problem, status=409, slug="backup-broken"):
    """Backup broken

    What lies in the vault is not what was stored. Choose another backup; the operator compares
    the vault with its copies.
    """


class VaultShareFull(Problem, status=507, slug="vault-share-full"):
    """The tenant's share of the vault is full

    The backups that are there are kept, and no more are taken. The operator gives the tenant a
    larger share (BULKHEAD_SHARE_BYTES).
    """


class VaultNearlyFull(Problem, status=507, slug="vault-nearly-full"):
    """The vault's disk is nearly full

    The backups that are there are kept and can be restored, and this tenant, one of the largest,
    takes no more until the operator has made room. Smaller tenants' backups go on.
    """


class RestoreNotFound(Problem, status=404, slug="restore-not-found"):
    """Restore not found

    There is no such restore of this tenant.
    """


class RestoreNotPlanned(Problem, status=409, slug="restore-not-planned"):
    """Restore not planned

    A plan is executed once, within an hour. Make a new plan to restore again.
    """


class RestoreRunning(Problem, status=409, slug="restore-running"):
    """Another restore is running

    A tenant is restored by one restore at a time. Wait until it has ended.
    """


class RestorePlansTooMany(Problem, status=409, slug="restore-plans-too-many"):
    """Too many restore plans

    Execute one of the plans that are open, or wait: a plan ends an hour after it was made.
    """
