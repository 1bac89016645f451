"""Where a Dataverse environment is and who signs in there, as it is given, stored and shown."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, StringConstraints

from services.sync import schemas
from services.sync.connection import Connection
from services.sync.crm.port import StoredAddress, canonical
from services.sync.revocation import Unlisted

_Url = Annotated[str, StringConstraints(max_length=2048)]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,127}$")]
_SCHEME = "https://"


class DataverseAddress(StoredAddress):
    """An environment, the authority that gives tokens for it, and an application user."""

    kind: Literal["dataverse"] = "dataverse"
    environment_url: _Url
    authority_url: _Url = "https://login.microsoftonline.com"
    directory_id: _Id
    client_id: _Id

    @property
    def environment_host(self) -> str:
        return self.environment_url.removeprefix(_SCHEME)

    @property
    def authority_host(self) -> str:
        return self.authority_url.removeprefix(_SCHEME)

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset({self.environment_host, self.authority_host})

    @property
    def unlisted(self) -> Unlisted:
        return "refuse"  # Microsoft's certificates, and those of its authorities, name their lists

    @property
    def place(self) -> str:
        return self.environment_host

    def checked(self) -> Self:
        return self.model_copy(
            update={
                "environment_url": canonical(self.environment_url, "/environment_url"),
                "authority_url": canonical(self.authority_url, "/authority_url"),
            }
        )


class NewDataverseConnection(schemas.NewConnectionBase, DataverseAddress):
    """A connection to a Dataverse environment with an application user's credentials."""


class DataverseConnectionChange(schemas.ConnectionChangeBase):
    """What changes of a connection to a Dataverse environment, its address among it."""

    kind: Literal["dataverse"] = "dataverse"
    environment_url: _Url | None = None
    authority_url: _Url | None = None
    directory_id: _Id | None = None
    client_id: _Id | None = None


class DataverseConnectionView(schemas.ConnectionViewBase, DataverseAddress):
    """A connection as its tenant sees it; `outcomes` counts rows by state."""

    model_config = ConfigDict(extra="ignore")  # an answer may get more members one day


def address_of(connection: Connection) -> DataverseAddress:
    """The connection's address; TypeError where it is one of another kind."""
    if not isinstance(connection.address, DataverseAddress):
        raise TypeError("the connection leads to a CRM of another kind")
    return connection.address
