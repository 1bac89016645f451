"""The kinds of CRM that there are: the one table that names them, and how a row becomes a value.

With a second kind each of the two bodies becomes a union, told apart by its `kind`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from contracts.ids import ConnectionId, TenantId
from services.sync.connection import Connection, ModuleMapping
from services.sync.crm.dataverse import (
    Dataverse,
    DataverseAddress,
    DataverseConnectionView,
    NewDataverseConnection,
)
from services.sync.crm.port import CrmKind
from services.sync.egress import CallLedger, Egress

NewConnection = NewDataverseConnection
ConnectionView = DataverseConnectionView


@dataclass(frozen=True)
class KindOfCrm:
    """`address` is the form of what is stored of where a CRM is; `start` makes it usable."""

    address: type[DataverseAddress]
    start: Callable[[Egress, CallLedger], CrmKind]


KINDS: Mapping[str, KindOfCrm] = {"dataverse": KindOfCrm(DataverseAddress, Dataverse)}


class ConnectionList(BaseModel):
    connections: list[ConnectionView]


def stored_address(wanted: NewConnection) -> dict[str, Any]:
    """What is kept of where the CRM is; raises CrmAddressRefused."""
    form = KINDS[wanted.kind].address
    given = {name: getattr(wanted, name) for name in form.model_fields}
    return form.model_validate(given).checked().model_dump(exclude={"kind"})


def connection_of(row: Mapping[Any, Any]) -> Connection:
    """From a row of the table `connection`."""
    modules = {name: ModuleMapping(**mapping) for name, mapping in row["modules"].items()}
    address = KINDS[row["kind"]].address.model_validate(row["address"])
    return Connection(ConnectionId(row["id"]), TenantId(row["tenant"]), address, modules)
