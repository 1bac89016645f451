"""`bulkhead backup`: back up, list, restore one tenant; as a user of the tenant."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from ops import printing
from ops.api import Api, until
from ops.cli.checks import id_
from ops.cli.ending import REFUSED, fail
from ops.cli.session import session

app = typer.Typer(help="Backups: run, list, restore.", no_args_is_help=True)
_TENANT = typer.Option(..., help="tenant id or name")
_ENDED = {"verified", "completed", "failed", "broken", "missing"}
_DEADLINE_S = 3600.0


@app.command()
def run(context: typer.Context, tenant: str = _TENANT) -> None:
    """Make a full backup now and wait until it is verified."""
    here = session(context)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1/backups"

    async def work(api: Api) -> Any:
        started = await api.post(base)
        return await _follow("backup", lambda: api.get(f"{base}/{started['id']}"))

    here.show_one(_succeeded(here.run(login, work)))


@app.command("list")
def list_(context: typer.Context, tenant: str = _TENANT) -> None:
    """The tenant's backups, newest first."""
    here = session(context)
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        return (await api.get(f"/t/{login.tenant}/v1/backups"))["backups"]

    here.show(here.run(login, work), ("id", "state", "at", "size", "reason"))


@app.command()
def restore(
    context: typer.Context,
    backup: Annotated[str, typer.Argument(callback=id_)],
    tenant: str = _TENANT,
    yes: bool = typer.Option(False, "--yes", help="do not ask after the plan"),
) -> None:
    """Show what a restore would do, then put the tenant back to that backup."""
    here = session(context)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1/restores"

    async def plan(api: Api) -> Any:
        return await api.post(base, {"backup": backup})

    async def execute(api: Api) -> Any:
        await api.post(f"{base}/{planned['id']}/execute")
        return await _follow("restore", lambda: api.get(f"{base}/{planned['id']}"))

    planned = here.run(login, plan)
    if not yes:
        printing.show_json(planned["plan"], on_error=True)
        typer.confirm("Put the tenant back to this state?", abort=True, err=True)
    here.show_one(_succeeded(here.run(login, execute)))


async def _follow(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    """Show progress until the run has ended."""
    with printing.progress(what) as show:

        async def ended() -> Any:
            found = await look()
            show(found["state"])
            return found if found["state"] in _ENDED else None

        return await until(what, ended, deadline_s=_DEADLINE_S)


def _succeeded(ended: dict[str, Any]) -> dict[str, Any]:
    if ended["state"] == "failed":
        fail(f"failed: {ended.get('reason')}", REFUSED)
    return ended
