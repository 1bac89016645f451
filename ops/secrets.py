"""Makes the secrets of an installation: random, one file each, mode 0600, never overwritten."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kit import base64url, files
from kit.sealing import SigningKey, new_key
from ops import broker
from ops.bootstrap import SERVICES
from ops.programs import PROGRAMS

_RANDOM: dict[str, Callable[[], str]] = {
    "identity_key": lambda: SigningKey.generate().seed_base64url(),
    "signing_key": lambda: SigningKey.generate().seed_base64url(),
    "manifest_key": lambda: SigningKey.generate().seed_base64url(),
    "kek": lambda: base64url.encode(new_key()),
}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(path, text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """What `write_private` has written; ValueError with the file's name where it is broken."""
    try:
        found = json.loads(path.read_text())
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON") from None
    match found:
        case dict():
            return found
    raise ValueError(f"{path} is not a JSON object")


def make_keys(folder: Path) -> None:
    """Every key that is missing, and the list of the services' public identity keys."""
    for program in PROGRAMS.values():
        for name in program.secrets:
            path = folder / program.name / name
            if name in _RANDOM and not path.exists():
                write_private(path, _RANDOM[name]() + "\n")
    identities = {
        service: SigningKey.from_file(folder / service / "identity_key").public.to_base64url()
        for service in SERVICES
    }
    for service in SERVICES:
        write_private(folder / service / "identities.json", json.dumps(identities) + "\n")


def database_passwords(folder: Path) -> dict[str, str]:
    """A password for each database role, made once and kept."""
    return _passwords(folder / "database_passwords.json", (*SERVICES, "relay"))


def broker_passwords(folder: Path) -> dict[str, str]:
    """A password for each of the broker's users, made once and kept."""
    return _passwords(folder / "broker_passwords.json", broker.NAMES)


def _passwords(path: Path, names: Iterable[str]) -> dict[str, str]:
    """What the file holds; names that are new to it get a password of their own."""
    known: dict[str, str] = read_json(path) if path.exists() else {}
    if not all(isinstance(password, str) and password for password in known.values()):
        raise ValueError(f"{path} holds something that is no password")
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(32) for name in missing}
        write_private(path, json.dumps(known, indent=1) + "\n")
    return known


def write_addresses(
    folder: Path, database_url: Callable[[str, str], str], amqp_urls: Mapping[str, str]
) -> None:
    """The addresses with passwords in them: `database_url(role, service)`, and the broker's for
    each program (and for the operator, where the broker is ours)."""
    for service in SERVICES:
        write_private(folder / service / "database_url", database_url(service, service) + "\n")
        write_private(folder / "relay" / "outbox" / service, database_url("relay", service) + "\n")
    for name, url in amqp_urls.items():
        write_private(folder / name / "amqp_url", url + "\n")
