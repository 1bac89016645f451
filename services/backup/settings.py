"""Settings of the backup service: where backups and keys lie, and how much runs at once."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from contracts.setting_values import AbsolutePath, Folder, KeyFile
from contracts.settings import ServiceSettings


def _with_programs(folder: Path) -> Path:
    if not (folder / "pg_dump").is_file() or not (folder / "pg_restore").is_file():
        raise ValueError("names a folder without pg_dump and pg_restore")
    return folder


class BackupSettings(ServiceSettings):
    """Read from BULKHEAD_*.

    `share_bytes` is how much of the vault one tenant may fill; with less than `free_floor` bytes
    free on the vault's disk the largest tenants' backups stop first.

    Replicas share `vault_dir` and `keyring_dir`: what one writes every other one reads.

    The keyring directory must not lie in the vault: whoever deletes a tenant's keyring deletes
    its backups, and the vault's copies must not bring it back.
    """

    vault_dir: AbsolutePath
    keyring_dir: AbsolutePath
    kek_file: KeyFile
    manifest_key_file: KeyFile
    pg_bin_dir: Annotated[Folder, AfterValidator(_with_programs)] | None = None
    runs_at_once: int = Field(2, ge=1, le=64)
    turn_s: float = Field(60.0, ge=1.0, le=3_600.0)
    tick_s: float = Field(2.0, gt=0)
    schedule_s: float = Field(60.0, gt=0)
    sweep_s: float = Field(300.0, gt=0)
    stocktaking_s: float = Field(3_600.0, gt=0)
    share_bytes: int = Field(100 << 30, ge=1)
    free_floor: int = Field(2 << 30, ge=1)
    leftovers_after_s: float = Field(86_400.0, ge=0)
    plan_lives_s: float = Field(3_600.0, gt=0)
    plans_most: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _keys_lie_apart_from_what_they_open(self) -> Self:
        if self.keyring_dir.resolve().is_relative_to(self.vault_dir.resolve()):
            raise ValueError("BULKHEAD_KEYRING_DIR lies in BULKHEAD_VAULT_DIR")
        return self
