"""Settings that every process shares: addresses from the environment, secrets only from files."""

import json
from functools import cached_property
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from kit.sealing.keys import refuse_open


class ServiceSettings(BaseSettings):
    """Read from BULKHEAD_*; there is no default for anything secret.

    Every secret is named by a file (`*_file`), so none stands in an environment or argument list.
    """

    model_config = SettingsConfigDict(env_prefix="BULKHEAD_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int
    metrics_port: int | None = None
    log_level: str = "INFO"
    drain_s: float = 2.0
    issuer: str = "https://bulkhead"
    database_url_file: Path
    amqp_url_file: Path
    identity_key_file: Path
    identities_file: Path
    auth_url: str
    tenants_url: str

    @cached_property
    def database_url(self) -> str:
        return read_secret(self.database_url_file)

    @cached_property
    def amqp_url(self) -> str:
        return read_secret(self.amqp_url_file)

    @cached_property
    def identities(self) -> dict[str, str]:
        """Service name -> its public identity key (Ed25519, base64url)."""
        keys: dict[str, str] = json.loads(self.identities_file.read_text())
        return keys

    @property
    def jwks_url(self) -> str:
        return f"{self.auth_url}/.well-known/jwks.json"


def read_secret(path: Path) -> str:
    """The content of a secret's file without the line end; ValueError where others may write it."""
    refuse_open(path)
    return path.read_text().rstrip("\n")
