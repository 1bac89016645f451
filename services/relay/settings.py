"""Settings of the relay: it knows the outboxes and the broker, and has no identity of its own."""

from functools import cached_property
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.settings import read_secret


class RelaySettings(BaseSettings):
    """Read from BULKHEAD_*; `outbox_urls_dir` holds one file per service, named like it.

    Each file is the address of that service's database for the role bulkhead_relay, which may
    read and delete in the outbox and nothing else. Hidden files are passed over (Kubernetes
    keeps the real files of a mounted secret there).
    """

    model_config = SettingsConfigDict(env_prefix="BULKHEAD_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int
    metrics_port: int | None = None
    log_level: str = "INFO"
    drain_s: float = 0.0
    outbox_urls_dir: Path
    amqp_url_file: Path

    @cached_property
    def outbox_urls(self) -> dict[str, str]:
        """Service -> address of its outbox's database."""
        files = [p for p in sorted(self.outbox_urls_dir.iterdir()) if not p.name.startswith(".")]
        if not files:
            raise ValueError(f"no outbox in {self.outbox_urls_dir}")
        return {file.name: read_secret(file) for file in files}

    @cached_property
    def amqp_url(self) -> str:
        return read_secret(self.amqp_url_file)
