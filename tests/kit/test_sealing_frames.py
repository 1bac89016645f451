"""Sealed streams: whatever is cut, moved, repeated or altered is refused; memory stays flat."""

import tracemalloc
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings

from kit.sealing import (
    FrameReader,
    FrameWriter,
    SealBroken,
    canonical,
    decrypt_frames,
    encrypt_frames,
    new_key,
)
from kit.sealing.frames import LARGEST_FRAME, LARGEST_HEADER

KEY = bytes(range(32))
HEADER = canonical({"v": 1, "t": "tenant-a", "b": "backup-1"})
TEXT = bytes(i % 251 for i in range(100))


def key_of(_header: bytes) -> bytes:
    return KEY


def sealed(text: bytes = TEXT, *, header: bytes = HEADER, frame_bytes: int = 32) -> bytes:
    writer = FrameWriter(KEY, header, frame_bytes=frame_bytes)
    return writer.push(text) + writer.final()


def opened(stream: Iterable[bytes]) -> bytes:
    return b"".join(decrypt_frames(key_of, stream))


def frames(stream: bytes) -> tuple[bytes, list[bytes]]:
    """The opening and the frames of a stream, each with its length."""
    at = 8 + len(HEADER) + 24
    found = []
    opening = stream[:at]
    while at < len(stream):
        size = 4 + int.from_bytes(stream[at : at + 4], "big")
        found.append(stream[at : at + size])
        at += size
    return opening, found


def assert_refused(stream: bytes) -> None:
    with pytest.raises(SealBroken):
        opened([stream])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=90), max_size=6), st.integers(1, 40), st.integers(1, 50))
def test_a_stream_opens_however_it_is_cut_into_pieces(
    chunks: list[bytes], frame_bytes: int, piece: int
) -> None:
    writer = FrameWriter(KEY, HEADER, frame_bytes=frame_bytes)
    stream = b"".join([*map(writer.push, chunks), writer.final()])
    pieces = [stream[at : at + piece] for at in range(0, len(stream), piece)]
    assert opened(pieces) == b"".join(chunks)


def test_every_truncation_is_refused() -> None:
    stream = sealed()
    for size in range(len(stream)):
        assert_refused(stream[:size])


def test_one_flipped_bit_at_every_byte_is_refused() -> None:
    stream = sealed()
    for at in range(len(stream)):
        for bit in range(8):
            assert_refused(stream[:at] + bytes([stream[at] ^ 1 << bit]) + stream[at + 1 :])


def test_swapped_dropped_and_repeated_frames_are_refused() -> None:
    opening, parts = frames(sealed())
    assert len(parts) == 4
    for order in ([1, 0, 2, 3], [0, 2, 3], [0, 0, 1, 2, 3], [0, 1, 3], [3], [0, 1, 2]):
        assert_refused(opening + b"".join(parts[i] for i in order))


def test_data_after_the_final_frame_is_refused() -> None:
    stream = sealed()
    _, parts = frames(stream)
    for more in (b"\x00", parts[0], parts[-1], stream):
        assert_refused(stream + more)
        with pytest.raises(SealBroken, match="after the final"):
            opened([stream, more])


TAGS = {
    "push": bindings.crypto_secretstream_xchacha20poly1305_TAG_PUSH,
    "rekey": bindings.crypto_secretstream_xchacha20poly1305_TAG_REKEY,
    "unknown 4": 4,
    "unknown 255": 255,
}


def stream_of(*parts: tuple[bytes, int]) -> bytes:
    """A stream with the right key whose frames carry these tags."""
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    stream = bindings.crypto_secretstream_xchacha20poly1305_init_push(state, KEY)
    out = b"TBK1" + len(HEADER).to_bytes(4, "big") + HEADER + stream
    ad = blake2b(b"TBK1" + HEADER, digest_size=32).digest()
    for plain, tag in parts:
        frame = bindings.crypto_secretstream_xchacha20poly1305_push(state, plain, ad, tag)
        out += len(frame).to_bytes(4, "big") + frame
    return out


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_a_frame_of_an_unknown_kind_is_refused_wherever_it_stands(tag: int) -> None:
    assert opened([stream_of((b"a", 0), (b"b", 3))]) == b"ab"
    for parts in ([(b"a", tag), (b"b", 3)], [(b"a", 0), (b"b", tag), (b"c", 3)], [(b"a", tag)]):
        with pytest.raises(SealBroken, match="unknown kind"):
            opened([stream_of(*parts)])


def test_a_stream_without_its_end_is_refused_only_when_it_is_closed() -> None:
    reader = FrameReader(key_of)
    assert reader.feed(stream_of((b"a", 0))) == b"a"
    with pytest.raises(SealBroken, match="cut off"):
        reader.close()


def test_the_largest_frame_and_header_go_through_and_no_larger_ones() -> None:
    largest = LARGEST_FRAME
    writer = FrameWriter(KEY, b"h" * LARGEST_HEADER, frame_bytes=largest)
    stream = writer.push(bytes(largest)) + writer.final()
    assert len(opened([stream])) == largest
    with pytest.raises(ValueError, match="too large"):
        FrameWriter(KEY, b"h" * (LARGEST_HEADER + 1))
    for size in (0, largest + 1):
        with pytest.raises(ValueError, match="too large"):
            FrameWriter(KEY, HEADER, frame_bytes=size)
    for length, start in (
        (largest + 18, sealed()[: 8 + len(HEADER) + 24]),
        (LARGEST_HEADER + 1, b"TBK1"),
    ):
        with pytest.raises(SealBroken, match="out of bounds"):
            FrameReader(key_of).feed(start + length.to_bytes(4, "big"))


def test_a_frame_that_cannot_even_hold_its_tag_is_refused() -> None:
    opening, _ = frames(sealed())
    for size in (0, 16):
        with pytest.raises(SealBroken, match="too short"):
            FrameReader(key_of).feed(opening + size.to_bytes(4, "big") + bytes(size))


def test_the_header_of_one_with_the_body_of_another_is_refused() -> None:
    one, other = sealed(), sealed(header=HEADER.replace(b"backup-1", b"backup-2"))
    assert_refused(other[: 8 + len(HEADER)] + one[8 + len(HEADER) :])


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        list(decrypt_frames(lambda _: new_key(), [sealed()]))


def test_the_reader_shows_the_header_before_it_asks_for_the_key() -> None:
    seen = []

    def refuse(header: bytes) -> bytes:
        seen.append(header)
        raise SealBroken("another tenant's")

    with pytest.raises(SealBroken, match="another tenant's"):
        FrameReader(refuse).feed(sealed())
    assert seen == [HEADER]


def test_an_absurd_length_is_refused_before_anything_is_buffered() -> None:
    opening, _ = frames(sealed())
    with pytest.raises(SealBroken, match="out of bounds"):
        FrameReader(key_of).feed(opening + b"\xff\xff\xff\xff")
    with pytest.raises(SealBroken, match="out of bounds"):
        FrameReader(key_of).feed(b"TBK1\xff\xff\xff\xff")


def test_a_used_up_writer_takes_nothing_more() -> None:
    writer = FrameWriter(KEY, HEADER)
    writer.final()
    with pytest.raises(ValueError, match="already final"):
        writer.push(b"x")
    with pytest.raises(ValueError, match="already final"):
        writer.final()


def test_the_last_frame_is_never_an_empty_one_added_for_the_end() -> None:
    _, parts = frames(sealed(b"x" * 64))
    assert [len(part) - 21 for part in parts] == [32, 32]


def test_a_long_stream_needs_little_memory() -> None:
    def text() -> Iterator[bytes]:
        for _ in range(512):
            yield bytes(64 << 10)

    tracemalloc.start()
    size = sum(map(len, decrypt_frames(key_of, encrypt_frames(KEY, HEADER, text()))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 32 << 20
    assert peak < 12 << 20
