"""Settings of the backup service: where backups and keys lie, and how much runs at once."""

from pathlib import Path

from pydantic import Field

from contracts.settings import ServiceSettings


class BackupSettings(ServiceSettings):
    """Read from BULKHEAD_*.

    The keyring directory must not lie in the vault: whoever deletes a tenant's keyring deletes
    its backups, and the vault's copies must not bring it back.
    """

    vault_dir: Path
    keyring_dir: Path
    kek_file: Path
    manifest_key_file: Path
    pg_bin_dir: Path | None = None
    runs_at_once: int = Field(2, ge=1, le=64)
    turn_s: float = Field(60.0, ge=1.0)
    tick_s: float = Field(2.0, gt=0)
    schedule_s: float = Field(60.0, gt=0)
    sweep_s: float = Field(300.0, gt=0)
    leftovers_after_s: float = Field(86_400.0, ge=0)
    plan_lives_s: float = Field(3_600.0, gt=0)
    plans_most: int = Field(10, ge=1)
