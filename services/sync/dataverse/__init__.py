"""The Dataverse Web API 9.2 as the sync engine uses it: documented calls only, all by the guard."""

from services.sync.dataverse.environment import Environment, Sent, TableMissing
from services.sync.dataverse.outcomes import Outcome, Verdict
from services.sync.dataverse.probing import Probe, ProbeStep, probe
from services.sync.dataverse.tokens import SignInRefused, Tokens
from services.sync.dataverse.upserts import Upsert

__all__ = [
    "Environment",
    "Outcome",
    "Probe",
    "ProbeStep",
    "Sent",
    "SignInRefused",
    "TableMissing",
    "Tokens",
    "Upsert",
    "Verdict",
    "probe",
]
