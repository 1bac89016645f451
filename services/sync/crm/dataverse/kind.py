"""Dataverse as a kind of CRM: all environments of this process share one store of tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from services.sync.connection import Connection, ModuleMapping
from services.sync.credential import Credentials
from services.sync.crm.dataverse import keys, writing
from services.sync.crm.dataverse.describing import describe
from services.sync.crm.dataverse.environment import FAILURES, Environment, verdict_of
from services.sync.crm.dataverse.probing import probe
from services.sync.crm.dataverse.tables import KnownTables
from services.sync.crm.dataverse.target import DataverseTarget
from services.sync.crm.dataverse.targets import Targets
from services.sync.crm.dataverse.tokens import Tokens
from services.sync.crm.port import Probe, RowWrite, Sent
from services.sync.crm.verdict import Meaning, Verdict
from services.sync.egress import CallLedger, Egress


@dataclass(frozen=True)
class DataverseCrm(Environment):
    """An environment with what the port asks of it besides."""

    targets: Targets = field(default_factory=Targets)

    def key_problem(self, key: str) -> str | None:
        return keys.key_problem(key)

    def same_key(self, key: str) -> str:
        return keys.same_key(key)

    async def write(self, mapping: ModuleMapping, rows: Sequence[RowWrite]) -> Sent:
        return await writing.write(self, mapping, rows)

    async def find(
        self, mapping: ModuleMapping, wanted: Sequence[str]
    ) -> Mapping[str, str] | Verdict:
        return await writing.find(self, mapping, wanted)

    async def keys_of(
        self, mapping: ModuleMapping, crm_ids: Sequence[str]
    ) -> Mapping[str, str] | Verdict:
        return await writing.keys_of(self, mapping, crm_ids)

    async def target(self, mapping: ModuleMapping) -> DataverseTarget | Verdict:
        asking = partial(describe, self, mapping)
        try:
            return await self.targets.of(self.connection.crm, mapping, asking)
        except FAILURES as failure:
            return verdict_of(failure)

    def forget_targets(self) -> None:
        self.targets.forget(self.connection.crm)

    async def examine(self, mapping: ModuleMapping) -> Verdict | None:
        """Also has everything described again: what is known may be what was wrong."""
        self.forget_targets()
        found = await self.target(mapping)
        if isinstance(found, Verdict):
            return found
        return Verdict(Meaning.BROKEN, found.faults[0]) if found.faults else None

    async def probe(self) -> Probe:
        """What it is told is known to the next push."""
        self.forget_targets()
        return await probe(self, self.target)


class Dataverse:
    """Makes environments; tokens and descriptions are used again by all pushes of a connection."""

    def __init__(self, egress: Egress, ledger: CallLedger) -> None:
        self._egress, self._ledger, self._tokens = egress, ledger, Tokens()
        self._tables, self._targets = KnownTables(), Targets()

    def same_key(self, key: str) -> str:
        return keys.same_key(key)

    def open(self, connection: Connection, credentials: Credentials) -> DataverseCrm:
        return self._crm(connection, credentials, self._tokens, self._tables, self._targets)

    def open_afresh(self, connection: Connection, credentials: Credentials) -> DataverseCrm:
        """With a token of its own, so that the credentials are put to the proof."""
        return self._crm(connection, credentials, Tokens(), KnownTables(), self._targets)

    def _crm(
        self,
        connection: Connection,
        credentials: Credentials,
        tokens: Tokens,
        tables: KnownTables,
        targets: Targets,
    ) -> DataverseCrm:
        return DataverseCrm(
            connection, credentials, self._egress, self._ledger, tokens, tables, targets
        )
