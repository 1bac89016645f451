"""Dataverse as a kind of CRM: all environments of this process share one store of tokens."""

from dataclasses import dataclass

from services.sync.connection import Connection
from services.sync.crm.dataverse.environment import Environment
from services.sync.crm.dataverse.probing import probe
from services.sync.crm.dataverse.tokens import Tokens
from services.sync.crm.dataverse.upserts import key_problem
from services.sync.crm.port import Probe
from services.sync.egress import CallLedger, Egress


@dataclass(frozen=True)
class DataverseCrm(Environment):
    """An environment with what the port asks of it besides."""

    def key_problem(self, key: str) -> str | None:
        return key_problem(key)

    async def probe(self) -> Probe:
        return await probe(self)


class Dataverse:
    """Makes environments; a token is used again by all pushes of its connection."""

    def __init__(self, egress: Egress, ledger: CallLedger) -> None:
        self._egress, self._ledger, self._tokens = egress, ledger, Tokens()

    def open(self, connection: Connection, secret: str) -> DataverseCrm:
        return DataverseCrm(connection, secret, self._egress, self._ledger, self._tokens)

    def open_afresh(self, connection: Connection, secret: str) -> DataverseCrm:
        """With a token of its own, so that the secret itself is put to the proof."""
        return DataverseCrm(connection, secret, self._egress, self._ledger, Tokens())
