"""Tenant keys, one keyring file per tenant: when it is deleted, no copy of that tenant's backups
can be opened again by anybody."""

import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue

from contracts.ids import TenantId
from kit import base64url, files, strict_json
from kit.sealing import Kek, SealBroken, canonical, new_key

_VERSION = re.compile("[1-9][0-9]{0,8}")


class KeyMissing(Exception):
    """The keyring lacks this version of the key."""


class KeyringMissing(KeyMissing):
    """There is no keyring: shredded, or lost."""


class KeyringBroken(Exception):
    """The keyring is cut, or none of this tenant."""


class KeyUnopened(Exception):
    """A tenant's key is there but does not open: it was sealed with another KEK, or altered."""


@dataclass(frozen=True)
class TenantKey:
    """A tenant's key and its version; new backups use the newest."""

    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"TenantKey(version={self.version})"


class KeyFiles:
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
        files.create(path, canonical(document))

    def current(self, tenant: TenantId) -> TenantKey:
        """The key for new backups; raises what `key` raises."""
        newest = max(self._wrapped(tenant))
        return TenantKey(newest, self.key(tenant, newest))

    def key(self, tenant: TenantId, version: int) -> bytes:
        """The key of a version; raises KeyMissing, KeyringBroken or KeyUnopened."""
        wrapped = self._wrapped(tenant).get(version)
        if wrapped is None:
            raise KeyMissing(f"no version {version}")
        try:
            return self._kek.unwrap(wrapped, _place(tenant, version))
        except SealBroken:
            raise KeyUnopened(f"version {version}") from None

    def check(self) -> None:
        """Open one tenant's key; raises SealBroken where there are some and none opens.

        One that is cut, altered or not ours tells nothing about the KEK. No keyring yet is fine.
        """
        unopened = False
        for path in sorted(self._directory.glob("*.json")):
            try:
                self.current(TenantId(UUID(path.stem)))
                return
            except KeyUnopened:
                unopened = True
            except (ValueError, KeyringBroken, KeyMissing):
                continue
        if unopened:
            raise SealBroken("no tenant's key opens")

    def shred(self, tenant: TenantId) -> None:
        """Delete the keyring: what was sealed for this tenant stays unreadable for ever."""
        self._path(tenant).unlink(missing_ok=True)
        files.sync(self._directory)

    def _wrapped(self, tenant: TenantId) -> dict[int, bytes]:
        try:
            keys = _keys_of(self._path(tenant).read_bytes(), tenant)
        except FileNotFoundError:
            raise KeyringMissing("no keyring") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise KeyringBroken("cut, or none of this tenant") from None
        return keys

    def _path(self, tenant: TenantId) -> Path:
        return self._directory / f"{tenant}.json"


def _place(tenant: TenantId, version: int) -> bytes:
    return canonical({"p": "bulkhead-keyring", "t": str(tenant), "kv": version})


def _keys_of(data: bytes, tenant: TenantId) -> dict[int, bytes]:
    document = strict_json.loads(data)
    keys: dict[str, str] = document["keys"]
    if (document["v"], document["tenant"]) != (1, str(tenant)) or not keys:
        raise ValueError
    if not all(_VERSION.fullmatch(version) for version in keys):
        raise ValueError
    return {int(version): base64url.decode(wrapped) for version, wrapped in keys.items()}
