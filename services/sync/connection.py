"""A connection as a value: where it leads, and which of our fields go into which of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from contracts.ids import ConnectionId, TenantId


@dataclass(frozen=True)
class ModuleMapping:
    """One module of ours in a table of theirs; `fields` maps our names to theirs."""

    table: str
    key_attribute: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Connection:
    """Everything about a connection but its secret."""

    id: ConnectionId
    tenant: TenantId
    environment_host: str
    authority_host: str
    directory_id: str
    client_id: str
    modules: Mapping[str, ModuleMapping]

    @property
    def names(self) -> frozenset[str]:
        """The hosts that this connection registered; it may call no others."""
        return frozenset({self.environment_host, self.authority_host})

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """From a row of the table `connection`."""
        modules = {name: ModuleMapping(**mapping) for name, mapping in row["modules"].items()}
        return cls(
            ConnectionId(row["id"]),
            TenantId(row["tenant"]),
            row["environment_host"],
            row["authority_host"],
            row["directory_id"],
            row["client_id"],
            modules,
        )
