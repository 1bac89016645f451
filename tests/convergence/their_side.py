"""What the CRM's users and administrators do, and the customer who has to do with both sides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sandbox.dataverse.collation import folded
from sandbox.dataverse.rows import Row
from sandbox.dataverse.tokens import Secret
from tests.convergence.world import World

TABLES = {"accounts": "bulkhead_symbol", "contacts": "bulkhead_key"}
_SHORT = ("accounts", "bulkhead_sector", 6, 100)
_USER = {"user": None, "behalf": None}


class TheirSide:
    """`DEEDS` are its methods with how often each comes; each says what it did."""

    DEEDS: ClassVar[dict[str, int]] = {
        "edit": 4,
        "lose": 3,
        "keep_environment": 1,
        "restore_environment": 1,
        "shorten": 1,
        "lengthen": 1,
        "disable_user": 1,
        "enable_user": 2,
        "rotate": 1,
        "lose_bulk": 1,
        "have_bulk": 1,
    }

    def __init__(self, world: World, *, in_bulk: bool) -> None:
        self._world, self._crm, self._chance = world, world.crm, world.chance
        self._in_bulk, self._secrets, self._has_lost = in_bulk, 0, False
        self._apart = self._crm.simulation.organisation.rows.apart
        vars(self._crm.simulation.organisation.rows)["apart"] = self._noted

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """What another writer makes amid an upsert of ours stays, if no record takes it over."""
        before = {row for row, _ in self._places()}
        with self._apart():
            yield
        self._world.foreign |= {row for row, _ in self._places()} - before

    async def heal(self) -> None:
        """Whoever has deleted rows there and wants them back has to say so."""
        await self.lengthen()
        await self.enable_user()
        if self._has_lost:
            await self._resync()

    def _rows(self, table: str) -> list[Row]:
        found = self._crm.simulation.organisation.rows.all(table)
        return sorted(found, key=lambda row: str(row.values[TABLES[table]]))

    def _some(self, most: int) -> tuple[Any, list[Row]]:
        table = self._chance.choice(list(TABLES))
        found = self._rows(table)
        some = self._chance.sample(found, min(len(found), self._chance.randint(1, most)))
        return self._crm.simulation.organisation.schema.tables[table], some

    async def edit(self) -> str:
        """Columns that are theirs."""
        table, found = self._some(3)
        rows, column = self._crm.simulation.organisation.rows, "telephone1"
        if table.set == "contacts":
            column = "firstname"
        with rows.transaction():
            for row in found:
                rows.update(table, row, {column: f"{self._chance.randrange(1000)}"}, _USER)
        return _named(found, table.set)

    async def lose(self) -> str:
        table, found = self._some(3)
        rows = self._crm.simulation.organisation.rows
        with rows.transaction():
            for row in found:
                rows.delete(table, row)
        self._world.lost |= {row.id for row in found}
        self._has_lost = True
        return _named(found, table.set)

    async def keep_environment(self) -> None:
        self._crm.simulation.take_snapshot()

    async def restore_environment(self) -> str:
        """And what the customer does then."""
        simulation = self._crm.simulation
        if not simulation.snapshots:
            return ""
        before = self._places()
        simulation.restore(self._chance.randint(1, len(simulation.snapshots)))
        self._world.lost |= {row for row, _ in before - self._places()}
        return str(await self._resync())

    def _places(self) -> set[tuple[str, str]]:
        """Id and key of each row: one that has another key by now is no longer whose it was."""
        crm = self._crm
        return {
            (row.id, folded(str(row.values[TABLES[table]])))
            for table in TABLES
            for row in crm.simulation.organisation.rows.all(table)
        }

    async def _resync(self) -> int:
        """Now, or else before both sides have to be equal."""
        status = await self._world.ask("POST", "/resync", json={})
        self._has_lost = status != 200
        return status

    async def shorten(self) -> None:
        table, column, short, _ = _SHORT
        self._crm.alter.change_column(table, column, max_length=short)

    async def lengthen(self) -> None:
        table, column, _, long = _SHORT
        self._crm.alter.change_column(table, column, max_length=long)

    async def disable_user(self) -> str:
        self._crm.switches.user = "disabled"
        self._crm.switches.user_refused_in = self._chance.choice(("request", "part"))
        return self._crm.switches.user_refused_in

    async def enable_user(self) -> None:
        self._crm.switches.user = "enabled"

    async def rotate(self) -> str:
        """A new secret, made known there first or here first."""
        self._secrets += 1
        old, new = self._crm.client_secret, f"secret-number-{self._secrets}"
        if self._chance.random() < 0.5:
            self._known(old, new)
            status = await self._put(new, "now")
            self._known(new if status == 204 else old)
            return f"there first {status}"
        status = await self._put(new, "staged")
        if status == 204:
            self._known(new)
        return f"here first {status}"

    def _known(self, *secrets: str) -> None:
        simulation = self._crm.simulation
        simulation.set_secrets(self._crm.client_id, [Secret(one) for one in secrets])

    async def _put(self, secret: str, when: str) -> int:
        body = {"client_secret": secret, "when": when}
        return await self._world.ask("PUT", "/credentials", json=body)

    async def lose_bulk(self) -> None:
        for table in TABLES:
            self._crm.alter.change_table(table, bulk_actions=False)

    async def have_bulk(self) -> None:
        for table in TABLES:
            self._crm.alter.change_table(table, bulk_actions=self._in_bulk)


def _named(rows: list[Row], table: str) -> str:
    return " ".join(str(row.values[TABLES[table]]) for row in rows)
