"""Settings of the relay: it knows the outboxes and the broker, and has no identity of its own."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.setting_values import Folder
from contracts.settings import ProcessSettings, read_secret


def _outboxes(folder: Path) -> list[Path]:
    return [one for one in sorted(folder.iterdir()) if not one.name.startswith(".")]


def _with_outboxes(folder: Path) -> Path:
    if not _outboxes(folder):
        raise ValueError("names a folder without an outbox's address")
    return folder


class RelaySettings(ProcessSettings):
    """Read from BULKHEAD_*; `outbox_urls_dir` holds one file per service, named like it.

    Each file is the address of that service's database for the role bulkhead_relay, which may
    read and delete in the outbox and nothing else. Hidden files are passed over (Kubernetes
    keeps the real files of a mounted secret there).
    """

    drain_s: float = Field(0.0, ge=0, le=600)
    outbox_urls_dir: Annotated[Folder, AfterValidator(_with_outboxes)]

    @cached_property
    def outbox_urls(self) -> dict[str, str]:
        """Service -> address of its outbox's database."""
        return {file.name: read_secret(file) for file in _outboxes(self.outbox_urls_dir)}
