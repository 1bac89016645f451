"""`bulkhead logout`: end the sessions that the command line keeps."""

from typing import Any

import typer

from ops.api import Api
from ops.cli.session import session


def logout(
    context: typer.Context,
    tenant: str = typer.Option("", help="only the login in this tenant (id or name)"),
) -> None:
    """End the kept sessions of all logins; the next command logs in again."""
    here = session(context)
    known = here.known
    mine = [known.operator] if known.operator else []
    logins = [known.tenant(tenant)] if tenant else [*mine, *known.tenants.values()]

    async def work(api: Api) -> Any:
        return await api.log_out()

    # a session that nobody keeps is not there to be asked about
    ended = [login.email for login in logins if here.kept(login).load() and here.run(login, work)]
    here.show_one({"logged_out": ended})
