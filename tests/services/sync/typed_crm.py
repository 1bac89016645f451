"""A simulated CRM whose columns a test chooses, and an environment of it over real TLS."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from contracts.ids import ConnectionId, TenantId, new_id
from sandbox.dataverse import DataverseSimulator
from services.sync.connection import Connection, ModuleMapping
from services.sync.credential import Offered
from services.sync.crm.dataverse import Dataverse, DataverseAddress
from services.sync.crm.dataverse.kind import DataverseCrm
from services.sync.crm.dataverse.target import DataverseTarget
from tests.services.sync.recording import RecordingLedger
from tests.services.sync.running_sync import injected
from tests.services.sync.simulated_crms import SimulatedCrm


def alter(simulator: DataverseSimulator, table: str, **changed: dict[str, Any] | None) -> None:
    """Columns with other properties, or without one that is named with None, from now on."""
    schema = simulator.simulation.organisation.schema
    known = schema.tables[table]
    columns = {
        name: one for name, one in known.columns.items() if changed.get(name, {}) is not None
    }
    made = {name: replace(columns[name], **more) for name, more in changed.items() if more}
    schema.put(replace(known, columns=columns | made))


def opened(
    simulator: SimulatedCrm, *modules: ModuleMapping, ledger: RecordingLedger | None = None
) -> DataverseCrm:
    """The CRM as one connection sees it; close its `egress`."""
    address = DataverseAddress.model_validate(simulator.address)
    named = {f"m{number}": one for number, one in enumerate(modules)}
    connection = Connection(ConnectionId(new_id()), TenantId(new_id()), address, named)
    kind = Dataverse(injected(simulator), ledger or RecordingLedger())
    return kind.open(connection, Offered.secret(simulator.client_secret))


def mapping(table: str = "accounts", key: str = "bulkhead_symbol", **fields: Any) -> ModuleMapping:
    """Fields in the form of the API."""
    return ModuleMapping.stored({"table": table, "key_attribute": key, "fields": fields})


@contextlib.asynccontextmanager
async def asking(
    simulator: SimulatedCrm, *modules: ModuleMapping, ledger: RecordingLedger | None = None
) -> AsyncIterator[DataverseCrm]:
    crm = opened(simulator, *modules, ledger=ledger)
    try:
        yield crm
    finally:
        await crm.egress.close()


async def target(simulator: SimulatedCrm, wanted: ModuleMapping) -> DataverseTarget:
    async with asking(simulator, wanted) as crm:
        found = await crm.target(wanted)
    assert isinstance(found, DataverseTarget)
    return found
