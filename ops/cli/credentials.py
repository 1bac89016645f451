"""The credentials file: address, authority and logins of one installation, for its owner only."""

import contextlib
import fcntl
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ops.api import Login
from ops.cli.ending import REFUSED, UNREACHABLE, fail
from ops.cli.files import read_json
from ops.secrets import write_private

_WHAT = "credentials file"
Text = Annotated[str, Field(min_length=1)]


class _Login(BaseModel):
    model_config = ConfigDict(strict=True)
    email: Text
    password: Text
    name: str = ""


class _File(BaseModel):
    model_config = ConfigDict(strict=True)
    url: Text
    ca: Text
    operator: _Login | None = None
    tenants: dict[Text, _Login] = Field(default_factory=dict)


@dataclass(frozen=True)
class KnownInstallation:
    """What the file says, checked; `names` are what operators call the tenants."""

    url: str
    ca: Path
    trust: ssl.SSLContext
    operator: Login | None
    tenants: Mapping[str, Login]
    names: Mapping[str, str]

    def tenant(self, wanted: str) -> Login:
        """A login in the tenant of that id or name."""
        found = [one for one in self.tenants if wanted in {one, self.names[one]}]
        if not found:
            fail(f"the credentials hold no login for tenant {wanted}", REFUSED)
        if len(found) > 1 and wanted not in found:
            fail(f"the credentials hold several tenants named {wanted}: give the id", REFUSED)
        return self.tenants[wanted if wanted in found else found[0]]


def read(path: Path) -> KnownInstallation:
    """Ends the program with a sentence where anything in the file cannot be used."""
    if not path.exists():
        fail(f"no credentials in {path}: name a file with --credentials", UNREACHABLE)
    found = read_json(path, _WHAT, UNREACHABLE)
    if path.stat().st_mode & 0o077:
        fail(f"the {_WHAT} {path} is open to others: chmod 600 {path}", UNREACHABLE)
    try:
        file = _File.model_validate(found)
    except ValidationError as error:
        fail(f"the {_WHAT} {path} cannot be used: {_fault(error)}", UNREACHABLE)
    tenants = file.tenants.items()
    return KnownInstallation(
        url=_checked_url(file.url, path),
        ca=Path(file.ca),
        trust=_trust(Path(file.ca), path),
        operator=_operator(file.operator),
        tenants={tenant: Login(one.email, one.password, tenant) for tenant, one in tenants},
        names={tenant: one.name for tenant, one in tenants},
    )


def remember(path: Path, login: Login, name: str = "") -> None:
    """Add a login to the file, whoever else writes it at this moment."""
    with _alone(path):
        known = read_json(path, _WHAT, UNREACHABLE)
        one = {"email": login.email, "password": login.password}
        if login.tenant is None:
            known["operator"] = one
        else:
            known.setdefault("tenants", {})[login.tenant] = one | {"name": name}
        write_private(path, json.dumps(known, indent=1) + "\n")


def require_writable(path: Path) -> None:
    """Ask before something is done that could not be remembered afterwards."""
    read(path)
    if not os.access(path.parent, os.W_OK):
        fail(f"the folder of the {_WHAT} {path} cannot be written", REFUSED)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _operator(one: _Login | None) -> Login | None:
    return None if one is None else Login(one.email, one.password)


def _fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    wrong = "is missing" if fault["type"] == "missing" else "is empty or of the wrong type"
    return f"{place} {wrong}"


def _checked_url(url: str, path: Path) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and parts.hostname and (parts.port is None or parts.port)
        plain = url.isascii() and url.isprintable() and "@" not in parts.netloc
    except ValueError:
        usable = plain = False
    if not usable or not plain or parts.query or parts.fragment or parts.path.strip("/"):
        fail(f"the url in {path} is not an address such as https://localhost:8443", UNREACHABLE)
    return url.rstrip("/")


def _trust(ca: Path, path: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError:
        fail(f"the authority {ca} (ca in {path}) holds no certificate in PEM", UNREACHABLE)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        fail(f"the authority {ca} (ca in {path}) cannot be read: {why}", UNREACHABLE)
