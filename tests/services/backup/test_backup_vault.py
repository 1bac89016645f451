"""What every vault must keep, whatever store is behind it."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from kit import clock
from services.backup.vault.objects import ObjectExists, ObjectMissing, Vault, VaultDown


@pytest.fixture(params=["directory", "memory"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    return Vault.local(tmp_path / "vault") if request.param == "directory" else Vault(MemoryStore())


class Broken(Exception):
    """The source of a stream has failed."""


def failing(good: int) -> Iterator[bytes]:
    for _ in range(good):
        yield os.urandom(1 << 20)
    raise Broken


async def test_a_stream_comes_back_as_it_was(vault: Vault) -> None:
    chunks = [os.urandom(1 << 20) for _ in range(20)] + [b"end"]
    await vault.put("t/data/one", iter(chunks))
    assert b"".join(vault.chunks("t/data/one")) == b"".join(chunks)


@pytest.mark.parametrize("good", [0, 1, 30])
async def test_a_stream_that_fails_leaves_no_object(vault: Vault, good: int) -> None:
    with pytest.raises(Broken):
        await vault.put("t/data/one", failing(good))
    assert await vault.list("t") == []
    with pytest.raises(ObjectMissing):
        await vault.read("t/data/one")


async def test_a_created_object_is_never_overwritten(vault: Vault) -> None:
    await vault.create("t/manifests/one.json", b"first")
    with pytest.raises(ObjectExists):
        await vault.create("t/manifests/one.json", b"second")
    assert await vault.read("t/manifests/one.json") == b"first"


async def test_a_replaced_object_has_the_new_content(vault: Vault) -> None:
    await vault.replace("t/one", b"first")
    await vault.replace("t/one", b"second")
    assert await vault.read("t/one") == b"second"


async def test_a_listing_has_names_sizes_and_only_what_is_below(vault: Vault) -> None:
    await vault.create("a/manifests/two", b"22")
    await vault.create("a/manifests/one", b"1")
    await vault.create("ab/manifests/three", b"333")
    found = await vault.list("a")
    assert [(one.name, one.size) for one in found] == [
        ("a/manifests/one", 1),
        ("a/manifests/two", 2),
    ]


async def test_deleting_twice_is_fine_and_reading_then_is_not(vault: Vault) -> None:
    await vault.create("t/one", b"1")
    await vault.delete("t/one")
    await vault.delete("t/one")
    with pytest.raises(ObjectMissing):
        await vault.read("t/one")
    with pytest.raises(ObjectMissing):
        list(vault.chunks("t/one"))


async def test_an_object_is_on_disk_with_its_folders_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store itself never calls fsync."""
    synced, fsync = set[str](), os.fsync

    def noted(descriptor: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    root = tmp_path / "vault"
    await Vault.local(root).put("t/data/one", iter([b"x"]))
    assert synced == {str(root / part) for part in ("t/data/one", "t/data", "t", "")}


async def test_what_a_killed_writer_left_is_hidden_and_swept(tmp_path: Path) -> None:
    vault = Vault.local(tmp_path)
    await vault.create("t/data/whole", b"1")
    (tmp_path / "t/data/00ff.tbk#1").write_bytes(b"half")
    assert [one.name for one in await vault.list("t")] == ["t/data/whole"]
    assert await vault.sweep_leftovers("t", clock.now() - timedelta(hours=1)) == 0
    assert await vault.sweep_leftovers("t", clock.now() + timedelta(hours=1)) == 1
    assert [path.name for path in (tmp_path / "t/data").iterdir()] == ["whole"]


async def test_a_store_that_refuses_says_so_in_our_words(tmp_path: Path) -> None:
    vault = Vault.local(tmp_path)
    (tmp_path / "t").write_text("a file where a folder should be")
    with pytest.raises(VaultDown):
        await vault.create("t/one", b"1")
