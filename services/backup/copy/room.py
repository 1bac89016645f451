"""What one tenant may fill of the vault: its share, and less while its disk is nearly full."""

from dataclasses import dataclass

from kit.room import allowed
from services.backup.failures import FailureReason, RunFailed
from services.backup.vault.objects import Vault


@dataclass(frozen=True)
class VaultRoom:
    """`share` and `floor` are bytes; a store that tells of no disk has no floor."""

    vault: Vault
    share: int
    floor: int

    def check(self, used: int, largest: int) -> None:
        """Raises RunFailed where a tenant that uses so much has too much; blocks briefly.

        `largest` is what the tenant holds that holds most, as measured last.
        """
        if used > self.share:
            raise RunFailed(FailureReason.SHARE_FULL)
        free = self.vault.free()
        if free is not None and used > allowed(self.share, max(largest, used), free, self.floor):
            raise RunFailed(FailureReason.VAULT_LOW)
