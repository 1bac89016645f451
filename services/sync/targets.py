"""Which rows of which CRM a connection writes: no two of a tenant may write the same ones."""

from kit.db import ReadSession
from services.sync.crm import connection_of
from services.sync.problems import CrmTargetTaken
from services.sync.store import connections
from services.sync.store.connections import NewConnectionRow

Target = tuple[str, str, str, str]


async def require_free(session: ReadSession, wanted: NewConnectionRow) -> None:
    """CrmTargetTaken where another connection of the tenant goes to the same table by the same key.

    Of other tenants' connections nothing is told.
    """
    mine = _targets(wanted)
    for other in await connections.of_tenant(session, wanted.tenant):
        if other.id == wanted.id:
            continue
        for target, module in _targets(other).items():
            if target in mine:
                raise CrmTargetTaken(
                    f"the connection {other.name!r} sends its module {module!r} to the same table"
                    " by the same key",
                    pointer=f"/modules/{mine[target]}",
                )


def _targets(row: NewConnectionRow) -> dict[Target, str]:
    """The module behind each: kind and place of the CRM, table, key column."""
    connection = connection_of(row)
    where = (connection.address.kind, connection.address.place)
    return {(*where, *one.target): name for name, one in connection.modules.items()}
