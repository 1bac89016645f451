"""An upload is read no faster than one tenant may bring it in, and nothing of it is lost."""

from collections.abc import AsyncIterator, Sequence

from services.tenants.records.many.pacing import BYTES_PER_S, read_paced

MIB = 1024 * 1024


class Clock:
    """Goes on while somebody sleeps, and with each piece by what its way took."""

    def __init__(self, piece_s: float = 0.0) -> None:
        self.at, self.slept, self._piece_s = 100.0, 0.0, piece_s

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.slept += seconds

    async def arriving(self, pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
        for piece in pieces:
            self.at += self._piece_s
            yield piece

    async def read(self, pieces: Sequence[bytes]) -> list[bytes]:
        return await read_paced(self.arriving(pieces), now=lambda: self.at, sleep=self.sleep)


async def test_what_comes_at_once_is_read_at_the_rate_and_whole():
    clock, pieces = Clock(), [bytes([number]) * MIB for number in range(64)]
    assert await clock.read(pieces) == pieces
    assert abs(clock.slept - 64 * MIB / BYTES_PER_S) < 0.01


async def test_what_comes_slowly_waits_for_nothing():
    clock = Clock(piece_s=MIB / BYTES_PER_S * 2)
    await clock.read([b"x" * MIB] * 8)
    assert clock.slept == 0


async def test_a_small_upload_waits_for_nothing():
    clock = Clock()
    await clock.read([b"x" * 1024] * 60)
    assert clock.slept == 0
