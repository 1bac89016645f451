"""Under a wrong key-encryption key a service does not begin, and says so."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from kit import base64url
from kit.causes import NotReady
from kit.db import Database
from kit.key_proof import WRONG, key_proof
from kit.sealing import Kek, SealBroken, new_key

ServiceDb = Callable[[str], Awaitable[str]]
OpenDb = Callable[[str], Database]


async def nothing_sealed_yet() -> None:
    return None


def sealed_under(made: Kek, used: Kek) -> Callable[[], Awaitable[None]]:
    """Something that an older installation has sealed."""
    sealed = made.wrap(new_key(), b"x")

    async def witness() -> None:
        used.unwrap(sealed, b"x")

    return witness


@pytest.fixture
async def db(service_db: ServiceDb, open_db: OpenDb) -> Database:
    return open_db(await service_db("sync"))


async def test_the_same_key_proves_itself_at_every_start(db: Database):
    kek = Kek(new_key())
    for _ in range(2):
        await key_proof(db, kek, "sync", nothing_sealed_yet)()


async def test_another_key_is_refused_in_words(db: Database):
    await key_proof(db, Kek(new_key()), "sync", nothing_sealed_yet)()
    with pytest.raises(NotReady, match=WRONG[:40]):
        await key_proof(db, Kek(new_key()), "sync", nothing_sealed_yet)()


async def test_an_older_installation_is_proved_by_what_it_has_sealed(db: Database):
    right, wrong = Kek(new_key()), Kek(new_key())
    with pytest.raises(NotReady):
        await key_proof(db, wrong, "sync", sealed_under(right, wrong))()
    await key_proof(db, right, "sync", sealed_under(right, right))()
    with pytest.raises(NotReady):
        await key_proof(db, wrong, "sync", nothing_sealed_yet)()


async def test_a_proof_of_one_service_is_none_of_another(db: Database):
    kek = Kek(new_key())
    await key_proof(db, kek, "sync", nothing_sealed_yet)()
    async with db.write() as session:
        await session.run(text("UPDATE key_proof SET service = 'backup'"))
    with pytest.raises(NotReady):
        await key_proof(db, kek, "backup", nothing_sealed_yet)()


@pytest.mark.parametrize("key", [bytes(32), b"ab" * 16, bytes(range(11)) * 2 + bytes(10)])
def test_a_key_that_nobody_drew_at_random_is_refused(tmp_path: Path, key: bytes):
    path = tmp_path / "kek"
    path.write_text(base64url.encode(key))
    with pytest.raises(ValueError, match="not drawn at random"):
        Kek.from_file(path)


@pytest.mark.parametrize(
    ("mode", "is_fine"), [(0o600, True), (0o440, True), (0o666, False), (0o620, False)]
)
def test_a_key_that_others_may_write_is_refused(tmp_path: Path, mode: int, is_fine: bool):
    path = tmp_path / "kek"
    path.write_text(base64url.encode(new_key()))
    path.chmod(mode)
    if is_fine:
        Kek.from_file(path)
    else:
        with pytest.raises(ValueError, match="others may write"):
            Kek.from_file(path)


def test_the_seal_itself_tells_a_foreign_key():
    with pytest.raises(SealBroken):
        Kek(new_key()).unwrap(Kek(new_key()).wrap(new_key(), b"x"), b"x")
