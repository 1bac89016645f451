"""A dump as it is stored: zstd, then sealed frames bound to tenant, backup, kind and key version.

The byte layout is in docs/formats/backup.md.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, cast

import zstandard

from contracts.ids import BackupId, TenantId
from kit import base64url, strict_json
from kit.sealing import (
    SealBroken,
    canonical,
    decrypt_frames,
    encrypt_frames,
    new_key,
    open_sealed,
    seal,
)
from services.backup.vault.key_files import TenantKey

ZSTD_LEVEL = 2  # measured: the knee between time and size
_PIECE = 1 << 20
_LARGEST_WINDOW = 8 << 20


@dataclass(frozen=True)
class ArchiveBinding:
    """What an archive is bound to: it opens nowhere else."""

    tenant: TenantId
    backup: BackupId
    kind: str = "full"

    def header(self, key: TenantKey, data_key: bytes) -> bytes:
        wrapped = seal(key.key, data_key, self._ad(key.version))
        return canonical(
            {
                "v": 1,
                "t": str(self.tenant),
                "b": str(self.backup),
                "k": self.kind,
                "kv": key.version,
                "c": "secretstream-xchacha20poly1305",
                "z": "zstd",
                "dek": base64url.encode(wrapped),
            }
        )

    def data_key(self, header: bytes, key_of: Callable[[int], bytes]) -> bytes:
        """The data key of a header that belongs here; SealBroken for any other header."""
        try:
            fields = strict_json.loads(header)
            version, wrapped = int(fields["kv"]), base64url.decode(fields["dek"])
            named = (fields["v"], fields["t"], fields["b"], fields["k"])
        except (ValueError, KeyError, TypeError):
            raise SealBroken("the header is malformed") from None
        if named != (1, str(self.tenant), str(self.backup), self.kind):
            raise SealBroken("the archive belongs to another place")
        return open_sealed(key_of(version), wrapped, self._ad(version))

    def _ad(self, version: int) -> bytes:
        return canonical(
            {
                "p": "bulkhead-backup",
                "t": str(self.tenant),
                "b": str(self.backup),
                "k": self.kind,
                "kv": version,
            }
        )


class Tally:
    """Passes chunks through and knows their number of bytes and SHA-256."""

    def __init__(self) -> None:
        self.size, self._digest = 0, hashlib.sha256()

    def over(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size += len(chunk)
            self._digest.update(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def seal_archive(plain: Iterable[bytes], place: ArchiveBinding, key: TenantKey) -> Iterator[bytes]:
    """The bytes to store, with a data key of their own."""
    data_key = new_key()
    return encrypt_frames(data_key, place.header(key, data_key), _compress(plain))


def open_archive(
    stored: Iterable[bytes], place: ArchiveBinding, key_of: Callable[[int], bytes]
) -> Iterator[bytes]:
    """The dump; whoever has not read to the end does not know that it is whole (SealBroken)."""
    proved = decrypt_frames(lambda header: place.data_key(header, key_of), stored)
    source = _Pull(proved)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    reader = decompressor.stream_reader(cast("IO[bytes]", source))
    try:
        while piece := reader.read(_PIECE):
            yield piece
    except zstandard.ZstdError:
        raise SealBroken("not what a writer of ours compressed") from None
    if source.read(1):
        raise SealBroken("data after the end of the dump")


def _compress(plain: Iterable[bytes]) -> Iterator[bytes]:
    chunker = zstandard.ZstdCompressor(level=ZSTD_LEVEL).chunker(chunk_size=_PIECE)
    for chunk in plain:
        yield from chunker.compress(chunk)
    yield from chunker.finish()  # type: ignore[no-untyped-call]  # its stub lacks the types


class _Pull:
    """A file to read from, over an iterator; so that a small frame that unpacks to gigabytes is
    unpacked piece by piece."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._held = chunks, memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._held = memoryview(chunk)
        piece, self._held = bytes(self._held[:size]), self._held[size:]
        return piece
