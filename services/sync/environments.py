"""CRMs from rows: opens the secret, and gives every call the guard and the ledger."""

from kit.db import Database
from services.sync.connection import Connection
from services.sync.crm import KINDS, Crm
from services.sync.egress import CallLedger, Egress
from services.sync.problems import SecretMissing
from services.sync.store import connections
from services.sync.tenant_keys import TenantKeys

CURRENT, NEXT = "current", "next"


class Environments:
    """The one place where credentials meet the way out."""

    def __init__(
        self, db: Database, keyring: TenantKeys, egress: Egress, ledger: CallLedger
    ) -> None:
        self._db, self._keyring = db, keyring
        self._kinds = {name: kind.start(egress, ledger) for name, kind in KINDS.items()}

    async def secret(self, connection: Connection) -> str:
        """The current secret of a connection; raises SecretMissing."""
        async with self._db.read() as session:
            found = await connections.get_credential(session, connection.id, CURRENT)
        if found is None:
            raise SecretMissing
        return await self._keyring.open(
            connection.tenant, connection.id, CURRENT, found.key_version, found.sealed
        )

    def same_key(self, connection: Connection, key: str) -> str:
        """The key in the form in which the connection's CRM compares it."""
        return self._kinds[connection.address.kind].same_key(key)

    def of(self, connection: Connection, secret: str) -> Crm:
        return self._kinds[connection.address.kind].open(connection, secret)

    def for_probe(self, connection: Connection, secret: str) -> Crm:
        """With nothing that a push has left, so that the secret itself is put to the proof."""
        return self._kinds[connection.address.kind].open_afresh(connection, secret)
