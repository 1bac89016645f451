"""Dataverse as a kind of CRM: all environments of this process share one store of tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.sync.connection import Connection, ModuleMapping
from services.sync.credential import Credentials
from services.sync.crm.dataverse import keys, writing
from services.sync.crm.dataverse.environment import Environment
from services.sync.crm.dataverse.probing import examine, probe
from services.sync.crm.dataverse.tables import KnownTables
from services.sync.crm.dataverse.tokens import Tokens
from services.sync.crm.outcome import Outcome
from services.sync.crm.port import Probe, RowWrite, Sent
from services.sync.egress import CallLedger, Egress


@dataclass(frozen=True)
class DataverseCrm(Environment):
    """An environment with what the port asks of it besides."""

    def key_problem(self, key: str) -> str | None:
        return keys.key_problem(key)

    def same_key(self, key: str) -> str:
        return keys.same_key(key)

    async def write(self, mapping: ModuleMapping, rows: Sequence[RowWrite]) -> Sent:
        return await writing.write(self, mapping, rows)

    async def find(
        self, mapping: ModuleMapping, wanted: Sequence[str]
    ) -> Mapping[str, str] | Outcome:
        return await writing.find(self, mapping, wanted)

    async def examine(self, mapping: ModuleMapping) -> Outcome | None:
        return await examine(self, mapping)

    async def probe(self) -> Probe:
        return await probe(self)


class Dataverse:
    """Makes environments; tokens and descriptions are used again by all pushes of a connection."""

    def __init__(self, egress: Egress, ledger: CallLedger) -> None:
        self._egress, self._ledger, self._tokens = egress, ledger, Tokens()
        self._tables = KnownTables()

    def same_key(self, key: str) -> str:
        return keys.same_key(key)

    def open(self, connection: Connection, credentials: Credentials) -> DataverseCrm:
        return self._crm(connection, credentials, self._tokens, self._tables)

    def open_afresh(self, connection: Connection, credentials: Credentials) -> DataverseCrm:
        """With a token of its own, so that the credentials are put to the proof."""
        return self._crm(connection, credentials, Tokens(), KnownTables())

    def _crm(
        self, connection: Connection, credentials: Credentials, tokens: Tokens, tables: KnownTables
    ) -> DataverseCrm:
        return DataverseCrm(connection, credentials, self._egress, self._ledger, tokens, tables)
