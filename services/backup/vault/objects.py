"""The vault: where backups lie; an object is there whole or not at all, and survives power loss."""

import asyncio
import contextlib
import errno
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore

from services.backup.vault import local_folder
from services.backup.vault.local_folder import StoredObject

_PART = 8 << 20  # two parts of 8 MiB in flight keep the memory of any size of backup constant
_PARTS_IN_FLIGHT = 2
_READ = 1 << 20
_SMALL = 1 << 20
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


class ObjectExists(Exception):
    """A create-only name is taken."""


class ObjectMissing(Exception):
    """There is no object of this name."""


class ObjectTooLarge(Exception):
    """What should be a small object is none of ours."""


class VaultDown(Exception):
    """The store does not answer, or refuses."""


class VaultFull(VaultDown):
    """The store's disk, or this service's share of it, has no room left."""


class VaultReadOnly(VaultDown):
    """The store is read-only, or closed to this service."""


_KINDS: dict[int, type[VaultDown]] = {
    errno.ENOSPC: VaultFull,
    errno.EDQUOT: VaultFull,
    errno.EROFS: VaultReadOnly,
    errno.EACCES: VaultReadOnly,
    errno.EPERM: VaultReadOnly,
}


class Vault:
    """One object store. A second one (another region or provider) is another instance."""

    def __init__(self, store: ObjectStore, directory: Path | None = None) -> None:
        self._store, self._directory = store, directory

    @classmethod
    def local(cls, directory: Path) -> Self:
        """A vault in a directory of this machine."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(prefix=directory), directory.resolve())

    async def put(self, name: str, chunks: Iterator[bytes]) -> None:
        """Store a stream; no object appears where `chunks` raises. Chunks are made in threads."""
        with _translated():
            await obstore.put_async(
                self._store,
                name,
                _in_threads(chunks),
                use_multipart=True,
                chunk_size=_PART,
                max_concurrency=_PARTS_IN_FLIGHT,
            )
            await self._settle(name)

    async def create(self, name: str, data: bytes) -> None:
        """Store a small object under a name that must be free; raises ObjectExists."""
        with _translated():
            await obstore.put_async(self._store, name, data, mode="create")
            await self._settle(name)

    async def replace(self, name: str, data: bytes) -> None:
        """Store a small object, atomically in the place of an older one."""
        with _translated():
            await obstore.put_async(self._store, name, data)
            await self._settle(name)

    async def read(self, name: str) -> bytes:
        """A small object; raises ObjectMissing, and ObjectTooLarge for more than 1 MiB."""
        with _translated():
            found = await obstore.get_async(self._store, name)
            if found.meta["size"] > _SMALL:
                raise ObjectTooLarge(name)
            return bytes(await found.bytes_async())

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, about 1 MiB at a time; blocks, so consume it in a thread."""
        with _translated():
            for chunk in obstore.get(self._store, name).stream(min_chunk_size=_READ):
                yield bytes(chunk)

    async def list(self, prefix: str) -> list[StoredObject]:
        """All objects below a prefix, by name; also what others have put there."""
        with _translated():
            if self._directory is not None:
                return await asyncio.to_thread(local_folder.files, self._directory, prefix)
            found = [
                StoredObject(meta["path"], meta["size"], meta["last_modified"])
                async for batch in obstore.list(self._store, prefix=prefix)
                for meta in batch
            ]
        return sorted(found, key=lambda stored: stored.name)

    def free(self) -> int | None:
        """Bytes that its disk has left; None for a store that tells of none. Blocks briefly."""
        if self._directory is None:
            return None
        with _translated():
            return shutil.disk_usage(self._directory).free

    async def delete(self, name: str) -> None:
        """Remove an object; one that is not there is fine."""
        with contextlib.suppress(ObjectMissing), _translated():
            await obstore.delete_async(self._store, name)
            if self._directory is not None:
                await asyncio.to_thread(
                    local_folder.sync, self._directory, (self._directory / name).parent
                )

    async def sweep_leftovers(self, prefix: str, before: datetime) -> int:
        """Remove what killed writers left below a prefix (`name#N`, never listed); how many."""
        if self._directory is None:
            return 0
        with _translated():
            folder = self._directory / prefix
            return await asyncio.to_thread(
                local_folder.unlink_leftovers, folder, before.timestamp()
            )

    async def _settle(self, name: str) -> None:
        """The local store never calls fsync: do it for the object and every folder above it."""
        if self._directory is not None:
            await asyncio.to_thread(local_folder.sync, self._directory, self._directory / name)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """The store's errors in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(str(error)) from None
    except AlreadyExistsError as error:
        raise ObjectExists(str(error)) from None
    except (BaseError, OSError) as error:
        why = _os_error(error)
        raise _KINDS.get(why.errno or 0, VaultDown)(type(error).__name__) from why


def _os_error(error: Exception) -> OSError:
    """What the system said; the store tells its number only in the text of its errors."""
    if isinstance(error, OSError):
        return error
    number = _OS_ERROR.search(str(error))
    code = int(number[1]) if number else 0
    return OSError(code, os.strerror(code)) if code else OSError(type(error).__name__)


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
