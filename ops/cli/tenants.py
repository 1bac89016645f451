"""`bulkhead tenant`: sign up, look, suspend, resume."""

from typing import Annotated, Any

import typer

from ops.answers import ApiRefused
from ops.api import Api
from ops.cli.checks import email_or_fail, id_, ranges_or_fail
from ops.cli.ending import REFUSED, fail
from ops.cli.session import session

app = typer.Typer(help="Tenants: create, list, suspend, resume.", no_args_is_help=True)
_COLUMNS = ("id", "name", "state", "created_at")
_FIRST_LEVEL = 80
_RIGHTS = ("tenant.create", "tenant.view", "allowlist.view", "allowlist.edit", "operator.invite")
_Tenant = Annotated[str, typer.Argument(callback=id_, help="tenant id")]


@app.command()
def create(
    context: typer.Context,
    name: str,
    allow: list[str] = typer.Option(..., help="address range that may come in (repeat)"),
    admin: str = typer.Option("", help="invite this e-mail address as administrator"),
) -> None:
    """Make a tenant with its own database; nobody comes in but from the ranges given.

    May be repeated: what an earlier call did not come to is done, and said.
    """
    here = session(context)
    ranges, email = ranges_or_fail(allow), email_or_fail(admin) if admin else ""

    async def work(api: Api) -> dict[str, Any]:
        await _require_rights(api)
        made, done = await _make_or_find(api, name)
        done += await _let_in(api, made["id"], ranges)
        if email:
            body = {"tenant": made["id"], "email": email, "level": _FIRST_LEVEL}
            made |= await api.post("/v1/invitations", body)
            done.append("administrator invited")
        return made | {"done": done}

    here.show_one(here.run(here.operator(), work))


async def _require_rights(api: Api) -> None:
    """Each step needs another right: who lacks one would leave a half."""
    own = (await api.get("/v1/me"))["access"]
    if missing := [right for right in _RIGHTS if right not in own]:
        fail(f"your level does not grant {', '.join(missing)}: nothing was done", REFUSED)


async def _make_or_find(api: Api, name: str) -> tuple[dict[str, Any], list[str]]:
    try:
        return dict(await api.post("/v1/tenants", {"name": name})), ["tenant made"]
    except ApiRefused as refused:
        if refused.status != 409:
            raise
        found = [one for one in (await api.get("/v1/tenants"))["tenants"] if one["name"] == name]
        if not found:
            raise
        return dict(found[0]), []


async def _let_in(api: Api, tenant: str, ranges: list[str]) -> list[str]:
    """Give the tenant its list, where it has none; another list is not ours to replace."""
    path = f"/v1/allowlists/{tenant}"
    try:
        present = (await api.get(path))["ranges"]
    except ApiRefused as refused:
        if refused.status != 404:
            raise
        await api.put(path, {"ranges": ranges})
        return ["address list set"]
    if sorted(present) != sorted(ranges):
        fail(
            f"there is a tenant of that name, {tenant}, with another address list: "
            "nothing was done; change it with `bulkhead allowlist set`",
            REFUSED,
        )
    return []


@app.command("list")
def list_(context: typer.Context) -> None:
    """All tenants."""
    here = session(context)

    async def work(api: Api) -> Any:
        return (await api.get("/v1/tenants"))["tenants"]

    here.show(here.run(here.operator(), work), _COLUMNS)


@app.command()
def suspend(context: typer.Context, tenant: _Tenant) -> None:
    """Nobody may use the tenant until it is resumed; its data stays."""
    _post(context, f"/v1/tenants/{tenant}/suspend")


@app.command()
def resume(context: typer.Context, tenant: _Tenant) -> None:
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
        return {"url": here.known.url, "as": me["email"], "tenants": counts}

    here.show_one(here.run(here.operator(), work))


def _post(context: typer.Context, path: str) -> None:
    here = session(context)

    async def work(api: Api) -> Any:
        return await api.post(path) or {"done": path.rpartition("/")[2]}

    here.show_one(here.run(here.operator(), work))
