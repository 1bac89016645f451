"""The simulators that sync's tests send to, one for each kind of CRM, in words that all kinds have.

Whoever adds a kind adds a class beside this one and a line in both tables; the tests that say
nothing of Dataverse then run for the new kind as well.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias
from uuid import uuid4

from sandbox.dataverse import DataverseSimulator
from sandbox.dataverse.columns import Column
from sandbox.dataverse.schema import Key, Schema, Table, load

HOST = "contoso.crm.example"


class SimulatedDataverse(DataverseSimulator):
    """Dataverse, with what a connection to it is made of."""

    BATCH, LOOK, SIGN_IN = "$batch", "WhoAmI", "oauth2"  # in the path of such a request
    TABLE_LOOK = "EntityDefinitions?"  # the first of those that describe a table
    TABLE, KEY = "accounts", "bulkhead_symbol"
    NAME, SECTOR, HEADQUARTERS = "name", "bulkhead_sector", "bulkhead_headquarters"
    MAPPING: ClassVar[dict[str, Any]] = {
        "table": TABLE,
        "key_attribute": KEY,
        "fields": {"name": NAME, "sector": SECTOR, "headquarters": HEADQUARTERS},
    }

    @staticmethod
    def another_key(number: int) -> str:
        """A key column besides KEY, the first being number 1."""
        return f"bulkhead_key{number}"

    @property
    def address(self) -> dict[str, str]:
        """What the body of a connection says of where the CRM is."""
        here = f"https://{HOST}"
        return {
            "kind": "dataverse",
            "environment_url": here,
            "authority_url": here,
            "directory_id": self.directory,
            "client_id": self.client_id,
        }

    def records(self) -> list[dict[str, Any]]:
        """The rows that our records went into."""
        return self.rows(self.TABLE)

    def by_key(self) -> dict[str, dict[str, Any]]:
        return {row[self.KEY]: row for row in self.records()}

    def make(self, **names: str) -> None:
        """Somebody makes rows there, by their keys."""
        rows = self.simulation.organisation.rows
        table = self.simulation.organisation.schema.tables[self.TABLE]
        with rows.transaction():
            for key, name in names.items():
                written = {self.KEY: key, self.NAME: name}
                rows.insert(table, str(uuid4()), written, {"user": None})

    def lose(self, *keys: str) -> None:
        """Somebody deletes these rows there; all, where no key is given."""
        rows = self.simulation.organisation.rows
        table = self.simulation.organisation.schema.tables[self.TABLE]
        with rows.transaction():
            for row in rows.all(self.TABLE):
                if not keys or row.values[self.KEY] in keys:
                    rows.delete(table, row)


def one_by_one(**given: Any) -> AbstractAsyncContextManager[SimulatedDataverse]:
    """With tables without actions for many rows at once: each row has an answer of its own."""
    known = load().tables
    plain = {name: replace(table, bulk_actions=frozenset()) for name, table in known.items()}
    tables = {name: _with_more_keys(table) for name, table in plain.items()}
    return SimulatedDataverse.serve(tables=Schema(tables), **given)


def _with_more_keys(table: Table) -> Table:
    """So that several connections of one tenant may go to one table."""
    if table.set != SimulatedDataverse.TABLE:
        return table
    names = [SimulatedDataverse.another_key(number) for number in range(1, 10)]
    columns = {name: Column(name, "string", max_length=100) for name in names}
    keys = tuple(Key(f"{name}_key", (name,)) for name in names)
    return replace(table, columns={**table.columns, **columns}, keys=table.keys + keys)


SimulatedCrm: TypeAlias = SimulatedDataverse  # with a second kind: what both have
SIMULATORS = {"dataverse": one_by_one}
IN_BULK = {"dataverse": SimulatedDataverse.serve}
ADDRESSES: dict[str, dict[str, str]] = {  # each with a name in a form that is not the guard's
    "dataverse": {
        "environment_url": "https://CRM.example.com:443/",
        "authority_url": "https://login.example.com",
        "directory_id": "directory",
        "client_id": "client",
    }
}
