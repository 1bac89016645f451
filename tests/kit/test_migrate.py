"""Migrations run once, in order, each whole or not at all."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from kit import migrate as module
from kit.migrate import MigrationChanged, files, migrate, read


def write(folder: Path, **scripts: str) -> Path:
    for name, sql in scripts.items():
        (folder / f"{name}.sql").write_text(sql)
    return folder


@pytest.fixture
async def url(cluster, service_db):
    return await service_db("auth")


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE tablename ~ '^m_'")
    finally:
        await connection.close()
    return {row[0] for row in rows}


async def test_each_migration_runs_once_and_in_order(url, tmp_path):
    folder = write(
        tmp_path,
        **{
            "901_pre_first": "CREATE TABLE m_a (n int)",
            "902_post_second": "ALTER TABLE m_a RENAME TO m_b",
        },
    )
    assert await migrate(url, folder) == ["901_pre_first.sql", "902_post_second.sql"]
    assert await migrate(url, folder) == []
    assert await tables(url) == {"m_b"}


async def test_a_failing_migration_leaves_nothing_behind(url, tmp_path):
    folder = write(tmp_path, **{"901_pre_bad": "CREATE TABLE m_c (n int); SELECT 1/0"})
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, folder)
    assert await tables(url) == set()


async def test_a_changed_migration_is_refused(url, tmp_path):
    folder = write(tmp_path, **{"901_pre_one": "CREATE TABLE m_d (n int)"})
    await migrate(url, folder)
    write(folder, **{"901_pre_one": "CREATE TABLE m_d (n bigint)"})
    with pytest.raises(MigrationChanged):
        await migrate(url, folder)


def test_a_file_with_another_name_is_refused(tmp_path):
    write(tmp_path, **{"1_words": "SELECT 1"})
    with pytest.raises(ValueError, match="1_words"):
        files(tmp_path)


def test_a_folder_without_migrations_is_refused(tmp_path):
    """Else a folder that was moved leaves databases without tables, and says that all is well."""
    with pytest.raises(ValueError, match="no migrations"):
        files(tmp_path)


def test_the_phases_are_told_apart_and_files_come_in_order(tmp_path):
    names = ["902_post_b", "901_pre_a", "903_pre_post_words"]
    write(tmp_path, **dict.fromkeys(names, "SELECT 1"))
    assert [p.stem for p in files(tmp_path)] == ["901_pre_a", "902_post_b", "903_pre_post_words"]
    assert [p.stem for p in files(tmp_path, "pre")] == ["901_pre_a", "903_pre_post_words"]
    assert [p.stem for p in files(tmp_path, "post")] == ["902_post_b"]


async def test_a_phase_leaves_the_other_for_later(url, tmp_path):
    scripts = {"901_pre_a": "CREATE TABLE m_a (n int)", "902_post_b": "DROP TABLE m_a"}
    folder = write(tmp_path, **scripts)
    assert await migrate(url, folder, phase="pre") == ["901_pre_a.sql"]
    assert await tables(url) == {"m_a"}
    assert await migrate(url, folder, phase="post") == ["902_post_b.sql"]
    assert await tables(url) == set()


async def test_what_went_before_a_failing_one_stays_applied(url, tmp_path):
    scripts = {"901_pre_good": "CREATE TABLE m_a (n int)", "902_pre_bad": "SELECT 1/0"}
    folder = write(tmp_path, **scripts)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, folder)
    assert await tables(url) == {"m_a"}
    write(folder, **{"902_pre_bad": "CREATE TABLE m_b (n int)"})
    assert await migrate(url, folder) == ["902_pre_bad.sql"]


async def test_two_at_once_apply_each_file_once(url, tmp_path):
    folder = write(tmp_path, **{"901_pre_a": "CREATE TABLE m_a (n int)"})
    applied = await asyncio.gather(*(migrate(url, folder) for _ in range(3)))
    assert sorted(applied) == [[], [], ["901_pre_a.sql"]]


async def test_a_lock_that_is_held_ends_the_migration_not_the_service(url, tmp_path):
    await migrate(url, write(tmp_path, **{"901_pre_a": "CREATE TABLE m_a (n int)"}))
    holder = await asyncpg.connect(url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE m_a")
    write(tmp_path, **{"902_pre_b": "ALTER TABLE m_a ADD m int"})
    with pytest.raises(asyncpg.LockNotAvailableError):
        await asyncio.wait_for(migrate(url, tmp_path, lock_timeout_s=0.1), 10)
    await transaction.rollback()
    await holder.close()
    assert await migrate(url, tmp_path, lock_timeout_s=0.1) == ["902_pre_b.sql"]


async def test_a_statement_without_an_end_is_ended(url, tmp_path):
    folder = write(tmp_path, **{"901_pre_slow": "SELECT pg_sleep(60)"})
    with pytest.raises(asyncpg.QueryCanceledError):
        await asyncio.wait_for(migrate(url, folder, statement_timeout_s=0.1), 10)


async def test_an_include_is_the_text_of_the_kit(url, tmp_path):
    folder = write(
        tmp_path, **{"901_pre_inbox": "CREATE TABLE m_a (n int);\n-- include kit/outbox 001"}
    )
    assert "CREATE TABLE" in read(folder / "901_pre_inbox.sql").split("m_a", 1)[1]


@pytest.mark.parametrize(
    "line",
    [
        "-- include kit/outbox",
        "-- include kit/outbox 999",
        "-- include kit/outbox 001 ",
        "-- include",
    ],
)
def test_an_include_that_names_no_step_is_refused(tmp_path, line):
    """It would pass for a comment, and the tables would not be there."""
    folder = write(tmp_path, **{"901_pre_inbox": f"{line}\n"})
    with pytest.raises(ValueError, match="names one step"):
        read(folder / "901_pre_inbox.sql")


async def test_a_new_step_of_the_kit_reaches_a_database_with_a_new_migration_only(
    url, tmp_path, monkeypatch
):
    kit, service = tmp_path / "kit", tmp_path / "service"
    shutil.copytree(module._KIT / "outbox", kit / "outbox")
    service.mkdir()
    monkeypatch.setattr(module, "_KIT", kit)
    (kit / "outbox" / "901_first.sql").write_text("CREATE TABLE m_first (n int);")
    write(service, **{"901_pre_a": "-- include kit/outbox 901\nCREATE TABLE m_own (n int);"})
    assert await migrate(url, service) == ["901_pre_a.sql"]
    (kit / "outbox" / "902_second.sql").write_text("CREATE TABLE m_second (n int);")
    assert await migrate(url, service) == []
    write(service, **{"902_pre_b": "-- include kit/outbox 902"})
    assert await migrate(url, service) == ["902_pre_b.sql"]
    assert await tables(url) == {"m_first", "m_own", "m_second"}
    (kit / "outbox" / "901_first.sql").write_text("CREATE TABLE m_first (n bigint);")
    with pytest.raises(MigrationChanged):
        await migrate(url, service)
