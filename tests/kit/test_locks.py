"""Advisory locks: each use has its own numbers, and they stay the same over releases."""

import asyncpg
import pytest

from kit import migrate, relay
from kit.locks import lock
from tenantdb import cluster, template


def test_numbers_are_those_of_the_releases_before() -> None:
    """With another number an old and a new relay would both lead, and both would migrate."""
    assert (lock("rela"), lock("bulk")) == (0x72656C61, 0x62756C6B)
    assert (lock("rela"), lock("bulk")) == (relay.LEADER_LOCK, migrate._LOCK)
    assert (lock("temp"), lock("ends")) == (0x74656D70, 0x656E6473)
    assert (lock("temp"), lock("ends")) == (template._LOCK, cluster._LOCK)
    assert lock("push", "one") == -6143529718774297574


def test_each_namespace_and_key_has_its_own() -> None:
    keys = [(namespace, str(n)) for namespace in ("push", "turn", "rela") for n in range(2000)]
    assert len({lock(*one) for one in keys} | {lock("push"), lock("rela")}) == len(keys) + 2


@pytest.mark.parametrize("namespace", ["", "run", "runner", "rün1"])
def test_a_namespace_is_four_letters(namespace: str) -> None:
    with pytest.raises(ValueError, match="four letters"):
        lock(namespace, "key")


async def test_postgresql_takes_every_number(cluster, service_db) -> None:
    connection = await asyncpg.connect(await service_db("auth"))
    try:
        for number in (lock("rela"), *(lock("push", str(n)) for n in range(20))):
            assert await connection.fetchval("SELECT pg_try_advisory_lock($1)", number)
    finally:
        await connection.close()
