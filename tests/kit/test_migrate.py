"""Migrations run once, in order, each whole or not at all."""

from pathlib import Path

import asyncpg
import pytest

from kit.migrate import MigrationChanged, files, migrate


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
