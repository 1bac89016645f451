"""Sealed streams of frames (libsodium secretstream): cut, swapped, repeated or altered is refused.

Layout: "TBK1" | u32 length | canonical JSON header | 24-byte stream header | (u32 length | frame)*.
Numbers are big-endian. Every frame is bound to BLAKE2b-256(magic + header); the last one carries
TAG_FINAL. A reader hands out each frame as it is proved, so only `close` says that all is there.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from nacl import bindings
from nacl.exceptions import CryptoError

from kit.sealing.envelope import SealBroken

MAGIC = b"TBK1"
FRAME_BYTES = 1 << 20
LARGEST_FRAME = 4 << 20
LARGEST_HEADER = 64 << 10
_STREAM_HEADER = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_OVERHEAD = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL

KeyOf = Callable[[bytes], bytes]


class FrameWriter:
    """`push` gives the bytes that are ready (maybe none), `final` the rest; then it is used up."""

    def __init__(self, key: bytes, header: bytes, *, frame_bytes: int = FRAME_BYTES) -> None:
        if len(header) > LARGEST_HEADER or not 0 < frame_bytes <= LARGEST_FRAME:
            raise ValueError("header or frame too large")
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        stream = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        self._opening = MAGIC + _u32(len(header)) + header + stream
        self._ad = _associated_data(header)
        self._frame_bytes = frame_bytes
        self._held = bytearray()
        self._ended = False

    def push(self, chunk: bytes) -> bytes:
        self._check_open()
        self._held += chunk
        out = [self._take_opening()]
        # at least one byte stays held, so that the last frame is never an empty one
        while len(self._held) > self._frame_bytes:
            out.append(self._frame(bytes(self._held[: self._frame_bytes]), _MESSAGE))
            del self._held[: self._frame_bytes]
        return b"".join(out)

    def final(self) -> bytes:
        self._check_open()
        self._ended = True
        return self._take_opening() + self._frame(bytes(self._held), _FINAL)

    def _frame(self, plain: bytes, tag: int) -> bytes:
        frame = bindings.crypto_secretstream_xchacha20poly1305_push(
            self._state, plain, self._ad, tag
        )
        return _u32(len(frame)) + frame

    def _take_opening(self) -> bytes:
        opening, self._opening = self._opening, b""
        return opening

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError("the stream is already final")


class FrameReader:
    """`feed` gives proved plaintext as pieces arrive; `close` refuses a stream without its end.

    `key_of` gets the header and returns the data key: that is the place to refuse a header of
    another tenant or object (raise SealBroken).
    """

    def __init__(self, key_of: KeyOf) -> None:
        self._key_of = key_of
        self._held = bytearray()
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._next: Callable[[], bytes | None] = self._parse_opening
        self._ad = b""
        self._final = False
        self.header: bytes | None = None

    def feed(self, piece: bytes) -> bytes:
        self._held += piece
        out = []
        while (plain := self._next()) is not None:
            out.append(plain)
        if self._final and self._held:
            raise SealBroken("data after the final frame")
        return b"".join(out)

    def close(self) -> None:
        if not self._final:
            raise SealBroken("the stream is cut off")

    def _parse_opening(self) -> bytes | None:
        if not MAGIC.startswith(self._held[:4]):
            raise SealBroken("not a sealed stream")
        header = self._sized(len(MAGIC), LARGEST_HEADER)
        if header is None:
            return None
        end = len(MAGIC) + 4 + len(header)
        if len(self._held) < end + _STREAM_HEADER:
            return None
        stream = bytes(self._held[end : end + _STREAM_HEADER])
        del self._held[: end + _STREAM_HEADER]
        self.header, self._ad = header, _associated_data(header)
        key = self._key_of(header)
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, stream, key)
        self._next = self._parse_frame
        return b""

    def _parse_frame(self) -> bytes | None:
        if self._final:
            return None
        frame = self._sized(0, LARGEST_FRAME + _OVERHEAD)
        if frame is None:
            return None
        del self._held[: 4 + len(frame)]
        plain, tag = self._pull(frame)
        if tag not in (_MESSAGE, _FINAL):
            raise SealBroken("a frame of an unknown kind")
        self._final = tag == _FINAL
        return plain

    def _pull(self, frame: bytes) -> tuple[bytes, int]:
        if len(frame) < _OVERHEAD:
            raise SealBroken("a frame is too short")
        try:
            return bindings.crypto_secretstream_xchacha20poly1305_pull(self._state, frame, self._ad)
        except CryptoError:
            raise SealBroken("a frame was altered, moved, or sealed for another place") from None

    def _sized(self, at: int, largest: int) -> bytes | None:
        """The length-prefixed part at `at` when all of it has arrived; its length is capped."""
        if len(self._held) < at + 4:
            return None
        size = int.from_bytes(self._held[at : at + 4], "big")
        if size > largest:
            raise SealBroken("a length is out of bounds")
        if len(self._held) < at + 4 + size:
            return None
        return bytes(self._held[at + 4 : at + 4 + size])


def encrypt_frames(key: bytes, header: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    writer = FrameWriter(key, header)
    for chunk in chunks:
        if out := writer.push(chunk):
            yield out
    yield writer.final()


def decrypt_frames(key_of: KeyOf, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Proved plaintext; whoever does not read to the end has not learnt that it is whole."""
    reader = FrameReader(key_of)
    for piece in pieces:
        if plain := reader.feed(piece):
            yield plain
    reader.close()


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _associated_data(header: bytes) -> bytes:
    return blake2b(MAGIC + header, digest_size=32).digest()
