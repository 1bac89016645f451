"""What a story is played in: a sync, its CRM, the policies that were drawn, and what was done."""

import random
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from sandbox.dataverse.collation import folded
from tests.services.sync.peer_tenants import PeerTenants
from tests.services.sync.running_sync import Sync
from tests.services.sync.simulated_crms import SimulatedCrm

MODULES = {
    "organisation": ("name", "sector", "headquarters"),
    "person": ("last", "title", "employer"),
}
PARENTS = ("P-0", "P-1", "P-2")  # organisations to which persons refer, with keys that stay
LATE = ("P-3", "P-4")  # the same, but persons may refer to them before they are there
_LATER = (
    "UPDATE outgoing SET doubted_at = doubted_at - interval '1 h'"
    " WHERE doubted_at BETWEEN now() - interval '1 h' AND now() - interval '1 s'",
    "UPDATE outgoing SET not_before = now() WHERE not_before > now() + interval '1 s'",
    "UPDATE left_row SET look_at = now() WHERE look_at > now() + interval '1 s'",
    "UPDATE connection SET look_at = now() WHERE look_at > now()",
    "UPDATE connection SET retry_at = now() WHERE retry_at > now() + interval '0.5 s'",
)
SECRET = "SECRET"  # begins every value of a field that is mapped and never chosen


@dataclass(frozen=True)
class Policies:
    """Drawn by the seed, for both modules alike."""

    deletions: Literal["keep", "delete", "deactivate"]
    withdrawn: Literal["keep", "clear"]
    missing: Literal["recreate", "park", "forget"]

    @classmethod
    def drawn(cls, chance: random.Random) -> "Policies":
        return cls(
            chance.choice(("keep", "delete", "deactivate")),
            chance.choice(("keep", "clear")),
            chance.choice(("recreate", "park", "forget")),
        )


@dataclass
class World:
    """`told` is what was done; `lost` are ids of rows of which somebody there has made an end."""

    sync: Sync
    chance: random.Random
    policies: Policies
    connection: str = ""
    told: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)  # ids of rows that no record of ours ever had
    keys: set[str] = field(default_factory=set)  # that records ever had
    had: dict[UUID, set[tuple[str, str]]] = field(default_factory=dict)  # module and keys
    ids: dict[UUID, str] = field(default_factory=dict)  # of their rows, when all was calm last

    @property
    def peer(self) -> PeerTenants:
        return self.sync.peer

    @property
    def crm(self) -> SimulatedCrm:
        return self.sync.simulator

    async def ask(self, method: str, path: str, **given: Any) -> int:
        """As a user of the tenant, with a fresh token; the status."""
        path = f"{self.sync.path}/{self.connection}{path}"
        async with self.sync.as_user(self.sync.tenant) as http:
            return (await http.request(method, path, **given)).status_code

    @property
    def mappings(self) -> dict[str, Any]:
        """The modules of the connection."""
        told = {"deletions": self.policies.deletions, "withdrawn": self.policies.withdrawn}
        employer = {"table": self.crm.TABLE, "key_attribute": self.crm.KEY}
        person = {"last": "lastname", "title": "jobtitle", "phone": "telephone1"}
        return {
            "organisation": self.crm.MAPPING
            | {"fields": self.crm.MAPPING["fields"] | {"cik": "bulkhead_cik"}}
            | told,
            "person": {
                "table": "contacts",
                "key_attribute": "bulkhead_key",
                "fields": person | {"employer": {"column": "parentcustomerid", "lookup": employer}},
                **told,
            },
        }

    def columns(self, module: str) -> dict[str, str]:
        """Of their table, by our fields that are chosen now and then."""
        fields = self.mappings[module]["fields"]
        named = {ours: fields[ours] for ours in MODULES[module]}
        return {ours: one if isinstance(one, str) else one["column"] for ours, one in named.items()}

    def note_keys(self) -> None:
        """Which keys records have, after each thing that was done to them: whoever has had a key of
        one that is gone may have its row, which is not that one's any more."""
        for record in self.peer.records.values():
            place = (record["module"], folded(record["key"]))
            self.had.setdefault(record["id"], set()).add(place)
            self.keys.add(record["key"])
        present = {
            (record["module"], folded(record["key"])) for record in self.peer.records.values()
        }
        for gone in self.ids.keys() - self.peer.records.keys():
            places = self.had[gone]
            if self.policies.deletions == "delete" or places & present:
                del self.ids[gone]

    async def let_time_pass(self) -> None:
        """What waits for its time is due, except what has just been looked at."""
        async with self.sync.parts.db.write() as session:
            for statement in _LATER:
                await session.run(text(statement))
