"""`bulkhead tenant`: sign up, look, suspend, resume."""

from typing import Any

import typer

from ops.api import Api
from ops.cli.session import session

app = typer.Typer(help="Tenants: create, list, suspend, resume.", no_args_is_help=True)
_COLUMNS = ("id", "name", "state", "created_at")


@app.command()
def create(
    context: typer.Context,
    name: str,
    allow: list[str] = typer.Option(..., help="address range that may come in (repeat)"),
    admin: str = typer.Option("", help="invite this e-mail address as administrator"),
) -> None:
    """Make a tenant with its own database; nobody comes in but from the ranges given."""
    here = session(context)

    async def work(api: Api) -> dict[str, Any]:
        made: dict[str, Any] = await api.post("/v1/tenants", {"name": name})
        await api.put(f"/v1/allowlists/{made['id']}", {"ranges": allow})
        if admin:
            body = {"tenant": made["id"], "email": admin, "level": 80}
            made |= await api.post("/v1/invitations", body)
        return made

    here.show_one(here.run(here.operator(), work))


@app.command("list")
def list_(context: typer.Context) -> None:
    """All tenants."""
    here = session(context)

    async def work(api: Api) -> Any:
        return (await api.get("/v1/tenants"))["tenants"]

    here.show(here.run(here.operator(), work), _COLUMNS)


@app.command()
def suspend(context: typer.Context, tenant: str) -> None:
    """Nobody may use the tenant until it is resumed; its data stays."""
    _post(context, f"/v1/tenants/{tenant}/suspend")


@app.command()
def resume(context: typer.Context, tenant: str) -> None:
    """A suspended tenant may be used again."""
    _post(context, f"/v1/tenants/{tenant}/resume")


def status(context: typer.Context) -> None:
    """Is the suite reachable, and how many tenants has it in which state?"""
    here = session(context)

    async def work(api: Api) -> dict[str, Any]:
        me = await api.get("/v1/me")
        found = (await api.get("/v1/tenants"))["tenants"]
        states = [one["state"] for one in found]
        counts = {state: states.count(state) for state in sorted(set(states))}
        return {"url": here.known()["url"], "as": me["email"], "tenants": counts}

    here.show_one(here.run(here.operator(), work))


def _post(context: typer.Context, path: str) -> None:
    here = session(context)

    async def work(api: Api) -> Any:
        return await api.post(path) or {"done": path.rpartition("/")[2]}

    here.show_one(here.run(here.operator(), work))
