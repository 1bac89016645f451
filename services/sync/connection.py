"""A connection as a value: where it leads, and which of our fields go into which of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from contracts.ids import ConnectionId, TenantId
from services.sync.revocation import Unlisted

ConnectionState = Literal["active", "paused", "broken", "removed"]
OutcomeState = Literal["pending", "ok", "empty", "retry", "parked", "removed"]
Deletions = Literal["keep", "delete", "deactivate"]
Withdrawn = Literal["keep", "clear"]
Missing = Literal["recreate", "park", "forget"]
RunState = Literal[
    "asked", "running", "done", "stopped", "cut", "overtaken", "failed", "interrupted"
]
RunWhy = Literal[  # of several, the last in this list is told
    "sweep",
    "due",
    "notice",
    "resumed",
    "created",
    "probed",
    "changed",
    "resync",
    "retry",
    "demand",
]


@dataclass(frozen=True)
class ParentKey:
    """The rows that a lookup refers to: a table of theirs and an alternate key of it."""

    table: str
    key_attribute: str


@dataclass(frozen=True)
class ModuleMapping:
    """One module of ours in a table of theirs; `fields` maps our names to theirs.

    By columns of theirs: `choices` says which number a value of ours stands for, `lookups` where
    the row lies that it names.

    `deletions` says what becomes of the row of a record that is deleted here, `withdrawn` of a
    column whose field is not chosen or not mapped any more.
    """

    table: str
    key_attribute: str
    fields: Mapping[str, str]
    deletions: Deletions = "keep"
    withdrawn: Withdrawn = "keep"
    choices: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    lookups: Mapping[str, ParentKey] = field(default_factory=dict)

    @classmethod
    def stored(cls, mapping: Mapping[str, Any]) -> Self:
        """From the form of the API: a field is a column's name, or an object that holds one."""
        more: dict[str, Mapping[str, Any]] = {
            ours: {"column": given} if isinstance(given, str) else given
            for ours, given in mapping["fields"].items()
        }
        return cls(
            **{name: value for name, value in mapping.items() if name != "fields"},
            fields={ours: given["column"] for ours, given in more.items()},
            choices={
                given["column"]: given["choices"] for given in more.values() if given.get("choices")
            },
            lookups={
                given["column"]: ParentKey(**given["lookup"])
                for given in more.values()
                if given.get("lookup")
            },
        )

    @property
    def target(self) -> tuple[str, str]:
        """Which rows there are records' own: those of a table, by a key column."""
        return self.table, self.key_attribute


class CrmAddress(Protocol):
    """Where a CRM is, in the form of its kind."""

    @property
    def kind(self) -> str: ...

    @property
    def hosts(self) -> frozenset[str]:
        """All that is ever called on behalf of the connection."""

    @property
    def unlisted(self) -> Unlisted:
        """What becomes of a call where nothing can be known of a certificate's revocation."""

    @property
    def place(self) -> str:
        """Which CRM this is: equal for two addresses of one."""


CrmKey = tuple[ConnectionId, CrmAddress]


@dataclass(frozen=True)
class Connection:
    """Everything about a connection but its secret."""

    id: ConnectionId
    tenant: TenantId
    address: CrmAddress
    modules: Mapping[str, ModuleMapping]

    @property
    def crm(self) -> CrmKey:
        """What is remembered of a CRM is kept under this: it holds for no other address."""
        return self.id, self.address

    @property
    def names(self) -> frozenset[str]:
        """The hosts that this connection registered; it may call no others."""
        return self.address.hosts
