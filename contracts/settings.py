"""Settings that every process shares: addresses from the environment, secrets only from files.

A wrong, missing or misspelt setting is refused at start, in one sentence that names BULKHEAD_X and
never shows the value: somebody may have put a secret where its file's name belongs.
"""

import difflib
import json
import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.setting_values import Address, IdentitiesFile, KeyFile, Port, SecretFile
from kit.sealing.keys import refuse_open

PREFIX = "BULKHEAD_"
_WORDS: Mapping[str, str] = {
    "missing": "is not set",
    "int_parsing": "is not a whole number",
    "float_parsing": "is not a number",
    "finite_number": "is not a finite number",
    "bool_parsing": "is neither true nor false",
    "greater_than_equal": "is less than {ge}",
    "greater_than": "is not more than {gt}",
    "less_than_equal": "is more than {le}",
    "less_than": "is not less than {lt}",
    "literal_error": "is none of {expected}",
    "too_short": "needs at least {min_length}",
    "string_too_short": "is empty",
    "value_error": "{error}",
}


class ProcessSettings(BaseSettings):
    """What a process without an identity needs; read from BULKHEAD_*."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", min_length=1)
    port: Port
    metrics_port: Port | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    drain_s: float = Field(2.0, ge=0, le=600)
    amqp_url_file: SecretFile

    @model_validator(mode="after")
    def _metrics_have_a_port_of_their_own(self) -> Self:
        if self.metrics_port == self.port:
            raise ValueError(f"{PREFIX}METRICS_PORT is the same as {PREFIX}PORT")
        return self

    @cached_property
    def amqp_url(self) -> str:
        return read_secret(self.amqp_url_file)


class ServiceSettings(ProcessSettings):
    """Read from BULKHEAD_*; there is no default for anything secret.

    Every secret is named by a file (`*_file`), so none stands in an environment or argument list.
    """

    issuer: str = Field("https://bulkhead", min_length=1)
    database_url_file: SecretFile
    identity_key_file: KeyFile
    identities_file: IdentitiesFile
    auth_url: Address
    tenants_url: Address

    @cached_property
    def database_url(self) -> str:
        return read_secret(self.database_url_file)

    @cached_property
    def identities(self) -> dict[str, str]:
        """Service name -> its public identity key (Ed25519, base64url)."""
        keys: dict[str, str] = json.loads(self.identities_file.read_text())
        return keys

    @property
    def jwks_url(self) -> str:
        return f"{self.auth_url}/.well-known/jwks.json"


_S = TypeVar("_S", bound=ProcessSettings)


def load(kind: type[_S]) -> _S:
    """The settings of this process; says what is wrong with them and ends it with exit code 2."""
    wrong = misspelt(kind, os.environ)
    try:
        settings = kind()
    except ValidationError as error:
        wrong.append(explain(error))
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
        raise SystemExit(2)
    return settings


def explain(error: ValidationError) -> str:
    """One sentence for each setting that is wrong, by its name in the environment."""
    return "\n".join(_sentence(fault) for fault in error.errors(include_url=False))


def misspelt(kind: type[BaseSettings], environment: Mapping[str, str]) -> list[str]:
    """A sentence for each BULKHEAD_* that is no setting of the program."""
    known = [PREFIX + name.upper() for name in kind.model_fields]
    names = {name.upper() for name in environment if name.upper().startswith(PREFIX)}
    return [_no_setting(name, known) for name in sorted(names - set(known))]


def read_secret(path: Path) -> str:
    """The content of a secret's file without the line end; ValueError where others may write it."""
    refuse_open(path)
    return path.read_text().rstrip("\n")


def _no_setting(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is no setting of this program" + (f": {near[0]} is" if near else "")


def _sentence(fault: Any) -> str:
    words = _WORDS.get(fault["type"], "is not what it has to be").format(**fault.get("ctx", {}))
    return f"{PREFIX}{str(fault['loc'][0]).upper()} {words}" if fault["loc"] else words
