"""The kinds of CRM that there are: the one table that names them, and how a row becomes a value.

With a second kind each of the two bodies becomes a union, told apart by its `kind`; who leaves it
out goes on meaning Dataverse.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from services.sync import schemas
from services.sync.connection import Connection, ModuleMapping
from services.sync.crm.dataverse import (
    Dataverse,
    DataverseAddress,
    DataverseConnectionChange,
    DataverseConnectionView,
    NewDataverseConnection,
)
from services.sync.crm.port import CrmKind, StoredAddress
from services.sync.egress import CallLedger, Egress
from services.sync.store.connections import ConnectionRow, NewConnectionRow

NewConnection = NewDataverseConnection
ConnectionChange = DataverseConnectionChange
ConnectionView = DataverseConnectionView
_VIEWS = TypeAdapter[ConnectionView](ConnectionView)
_SHOWN = schemas.ConnectionViewBase.model_fields.keys() - {"outcomes", "warnings"}


@dataclass(frozen=True)
class KindOfCrm:
    """`address` is the form of what is stored of where a CRM is; `start` makes it usable."""

    address: type[StoredAddress]
    start: Callable[[Egress, CallLedger], CrmKind]


KINDS: Mapping[str, KindOfCrm] = {"dataverse": KindOfCrm(DataverseAddress, Dataverse)}


class ConnectionList(BaseModel):
    connections: list[ConnectionView]


def stored_address(wanted: NewConnection) -> dict[str, Any]:
    """What is kept of where the CRM is; raises CrmAddressRefused."""
    form = KINDS[wanted.kind].address
    given = {name: getattr(wanted, name) for name in form.model_fields}
    return form.model_validate(given).checked().model_dump(exclude={"kind"})


def address_with(row: NewConnectionRow, wanted: ConnectionChange) -> dict[str, Any]:
    """What is kept of where the CRM is, after a change; raises CrmAddressRefused."""
    form = KINDS[row.kind].address
    changes = {name: getattr(wanted, name) for name in form.model_fields}
    given = {**row.address, **{name: one for name, one in changes.items() if one is not None}}
    return form.model_validate({**given, "kind": row.kind}).checked().model_dump(exclude={"kind"})


def connection_of(row: NewConnectionRow) -> Connection:
    """Where a row leads, and what goes there."""
    modules = {name: ModuleMapping.stored(mapping) for name, mapping in row.modules.items()}
    address = KINDS[row.kind].address.model_validate(row.address)
    return Connection(row.id, row.tenant, address, modules)


def view_of(
    row: ConnectionRow, outcomes: Mapping[str, int], warnings: Sequence[str] = ()
) -> ConnectionView:
    """The connection as its tenant sees it, with its address in the form of its kind."""
    shown = {name: getattr(row, name) for name in _SHOWN}
    more = {"kind": row.kind, "outcomes": outcomes, "warnings": [*warnings]}
    return _VIEWS.validate_python({**shown, **row.address, **more})
