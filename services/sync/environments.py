"""CRMs from rows: every call gets the credentials, the guard and the ledger."""

from kit.db import Database
from services.sync.connection import Connection
from services.sync.credential import Credentials, Slot
from services.sync.credentials import CredentialStore, StoredCredentials
from services.sync.crm import KINDS, Crm
from services.sync.egress import CallLedger, Egress
from services.sync.tenant_keys import TenantKeys


class Environments:
    """The one place where credentials meet the way out."""

    def __init__(
        self, db: Database, keyring: TenantKeys, egress: Egress, ledger: CallLedger
    ) -> None:
        self.credentials = CredentialStore(db, keyring)
        self._kinds = {name: kind.start(egress, ledger) for name, kind in KINDS.items()}

    def stored(
        self, connection: Connection, only: Slot | None = None, *, is_noted: bool = True
    ) -> StoredCredentials:
        """The connection's credentials, or the one in a slot: read when they are needed.

        What the CRM says of them counts (`is_noted`) where it is the one that they are for.
        """
        store, tenant = self.credentials, connection.tenant
        return StoredCredentials(store, tenant, connection.id, only, is_noted)

    def same_key(self, connection: Connection, key: str) -> str:
        """The key in the form in which the connection's CRM compares it."""
        return self._kinds[connection.address.kind].same_key(key)

    def of(self, connection: Connection) -> Crm:
        return self._kinds[connection.address.kind].open(connection, self.stored(connection))

    def for_probe(self, connection: Connection, credentials: Credentials) -> Crm:
        """With nothing that a push has left, so that the credentials are put to the proof."""
        return self._kinds[connection.address.kind].open_afresh(connection, credentials)
