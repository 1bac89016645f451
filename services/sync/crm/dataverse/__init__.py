"""The Dataverse Web API 9.2 as the sync engine uses it: documented calls only, all by the guard."""

from services.sync.crm.dataverse.address import (
    DataverseAddress,
    DataverseConnectionChange,
    DataverseConnectionView,
    NewDataverseConnection,
)
from services.sync.crm.dataverse.environment import Environment, TableMissing
from services.sync.crm.dataverse.kind import Dataverse
from services.sync.crm.dataverse.probing import probe
from services.sync.crm.dataverse.sign_in import SignInRefused
from services.sync.crm.dataverse.tokens import Tokens

__all__ = [
    "Dataverse",
    "DataverseAddress",
    "DataverseConnectionChange",
    "DataverseConnectionView",
    "Environment",
    "NewDataverseConnection",
    "SignInRefused",
    "TableMissing",
    "Tokens",
    "probe",
]
