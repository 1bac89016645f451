"""Tenant keys, one keyring file per tenant: when it is deleted, no copy of that tenant's backups
can be opened again by anybody."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue

from contracts.ids import TenantId
from kit import base64url, strict_json
from kit.sealing import Kek, canonical, new_key


class KeyMissing(Exception):
    """There is no such key: shredded, or lost with the keyring."""


@dataclass(frozen=True)
class TenantKey:
    """A tenant's key and its version; new backups use the newest."""

    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"TenantKey(version={self.version})"


class Keyring:
    """The keyrings, in a directory that is not part of the vault, under one key-encryption key."""

    def __init__(self, directory: Path, kek: Kek) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory, self._kek = directory, kek

    def ensure(self, tenant: TenantId) -> None:
        """Make the keyring of a tenant that has none; done when a tenant is first heard of.

        Never done by a backup: a lost keyring must be noticed, not replaced.
        """
        path = self._path(tenant)
        if path.exists():
            return
        wrapped = self._kek.wrap(new_key(), _place(tenant, 1))
        document: JsonValue = {
            "v": 1,
            "tenant": str(tenant),
            "keys": {"1": base64url.encode(wrapped)},
        }
        _create(path, canonical(document))

    def current(self, tenant: TenantId) -> TenantKey:
        """The key for new backups; raises KeyMissing."""
        newest = max(self._wrapped(tenant))
        return TenantKey(newest, self.key(tenant, newest))

    def key(self, tenant: TenantId, version: int) -> bytes:
        """The key of a version; raises KeyMissing, or SealBroken for a foreign or altered one."""
        wrapped = self._wrapped(tenant).get(version)
        if wrapped is None:
            raise KeyMissing(f"no version {version}")
        return self._kek.unwrap(base64url.decode(wrapped), _place(tenant, version))

    def check(self) -> None:
        """Open one tenant's key; raises SealBroken under a wrong KEK. No keyring yet is fine."""
        for path in sorted(self._directory.glob("*.json")):
            with contextlib.suppress(ValueError, KeyError, TypeError, KeyMissing):
                self.current(TenantId(UUID(path.stem)))
                return  # a file that is cut or not ours tells nothing about the key

    def shred(self, tenant: TenantId) -> None:
        """Delete the keyring: what was sealed for this tenant stays unreadable for ever."""
        self._path(tenant).unlink(missing_ok=True)
        _sync(self._directory)

    def _wrapped(self, tenant: TenantId) -> dict[int, str]:
        try:
            document = strict_json.loads(self._path(tenant).read_bytes())
        except FileNotFoundError:
            raise KeyMissing("no keyring") from None
        return {int(version): wrapped for version, wrapped in document["keys"].items()}

    def _path(self, tenant: TenantId) -> Path:
        return self._directory / f"{tenant}.json"


def _place(tenant: TenantId, version: int) -> bytes:
    return canonical({"p": "bulkhead-keyring", "t": str(tenant), "kv": version})


def _create(path: Path, data: bytes) -> None:
    """Create-only and durable; of two that try at once, one wins and both see the same file."""
    draft = path.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
