"""What is hashed and described, whatever tables are called."""

import asyncpg

from services.backup.copy.fingerprint import fingerprints, primary_keys, row_counts, sequences
from tests.services.backup.tenants_peer import TenantsPeer

_NAMES = ['pla"in', "back\\slash", 'both\\"', "com,ma", "{brace}", "NULL", "two words", "ünï"]


async def test_tables_of_every_name_are_counted_hashed_and_have_their_keys(
    peer: TenantsPeer,
) -> None:
    tenant = await peer.add(0)
    connection = await peer.connect(tenant)
    try:
        for number, name in enumerate(_NAMES, 1):
            quoted = '"' + name.replace('"', '""') + '"'
            await connection.execute(
                f"CREATE TABLE {quoted} (b int, a text, PRIMARY KEY (a, b));"
                f"INSERT INTO {quoted} SELECT i, 'x' FROM generate_series(1, {number}) i"
            )
        full = {f"public.{name}" for name in _NAMES}
        found = await fingerprints(connection)
        assert {name: found[name][0] for name in full} == {
            f"public.{name}": str(number) for number, name in enumerate(_NAMES, 1)
        }
        assert await row_counts(connection) == {name: int(one[0]) for name, one in found.items()}
        keys = await primary_keys(connection, sorted(full))
        assert keys == {name: [("a", "text"), ("b", "integer")] for name in full}
    finally:
        await connection.close()


async def test_any_other_value_row_or_copy_of_a_row_is_another_fingerprint(
    peer: TenantsPeer,
) -> None:
    connection = await peer.connect(await peer.add(0))
    try:
        await connection.execute("CREATE TABLE twice (a int, b int)")
        seen = [await _one(connection)]
        for change in (
            "INSERT INTO twice VALUES (1, 2)",
            "INSERT INTO twice VALUES (1, 2)",  # equal rows undo each other in an exclusive-or
            "UPDATE twice SET b = 3",
            "UPDATE twice SET a = NULL",
            "DELETE FROM twice",
        ):
            await connection.execute(change)
            seen.append(await _one(connection))
        assert len(set(seen[:-1])) == 5
        assert seen[0] == seen[-1] == ("0", "0", "0")
    finally:
        await connection.close()


async def test_a_sequence_says_whether_it_was_used(peer: TenantsPeer) -> None:
    connection = await peer.connect(await peer.add(0))
    try:
        await connection.execute("CREATE SEQUENCE one; CREATE SEQUENCE two")
        await connection.fetchval("SELECT nextval('two')")
        found = {name: (last, used) for name, last, used in await sequences(connection)}
    finally:
        await connection.close()
    assert (found["public.one"], found["public.two"]) == ((None, False), (1, True))


async def _one(connection: "asyncpg.Connection[asyncpg.Record]") -> tuple[str, str, str]:
    return (await fingerprints(connection))["public.twice"]
