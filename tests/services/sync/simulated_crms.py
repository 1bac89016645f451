"""The simulators that sync's tests send to, one for each kind of CRM, in words that all kinds have.

Whoever adds a kind adds a class beside this one and a line in both tables; the tests that say
nothing of Dataverse then run for the new kind as well.
"""

from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

from sandbox.dataverse import DataverseSimulator
from sandbox.dataverse.schema import Schema, load

HOST = "contoso.crm.example"


class SimulatedDataverse(DataverseSimulator):
    """Dataverse, with what a connection to it is made of."""

    BATCH, LOOK, SIGN_IN = "$batch", "WhoAmI", "oauth2"  # in the path of such a request
    TABLE, KEY = "accounts", "bulkhead_symbol"
    NAME, SECTOR, HEADQUARTERS = "name", "bulkhead_sector", "bulkhead_headquarters"
    MAPPING: ClassVar[dict[str, Any]] = {
        "table": TABLE,
        "key_attribute": KEY,
        "fields": {"name": NAME, "sector": SECTOR, "headquarters": HEADQUARTERS},
    }

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


def one_by_one() -> Schema:
    """Tables without actions for many rows at once: each row has an answer of its own."""
    known = load()
    plain = [replace(table, bulk_actions=frozenset()) for table in known.tables.values()]
    return Schema(plain)


SimulatedCrm: TypeAlias = SimulatedDataverse  # with a second kind: what both have
SIMULATORS = {  # each with tables of its own, which a test may change
    "dataverse": lambda host: SimulatedDataverse.serve(host=host, tables=one_by_one())
}
IN_BULK = {"dataverse": SimulatedDataverse.serve}
ADDRESSES: dict[str, dict[str, str]] = {  # each with a name in a form that is not the guard's
    "dataverse": {
        "environment_url": "https://CRM.example.com:443/",
        "authority_url": "https://login.example.com",
        "directory_id": "directory",
        "client_id": "client",
    }
}
