"""`bulkhead user`: invite people, accept an invitation, unlock who has mistyped too often."""

import secrets
from typing import Annotated, Any
from uuid import UUID

import typer

from ops.api import Api, Login
from ops.cli import credentials
from ops.cli.checks import email_or_fail, id_, optional_id
from ops.cli.ending import REFUSED, fail
from ops.cli.session import ask, session

app = typer.Typer(help="Users: invite, accept, unlock.", no_args_is_help=True)
_Tenant = Annotated[str, typer.Option(callback=optional_id, help="tenant id; none: an operator")]


@app.command()
def invite(
    context: typer.Context,
    email: str,
    tenant: _Tenant = "",
    level: int = typer.Option(80, help="access level: 80 administrator, 61 standard, 25 read-only"),
) -> None:
    """Invite somebody; prints the one-time invitation."""
    here = session(context)

    async def work(api: Api) -> Any:
        body = {"tenant": tenant or None, "email": email, "level": level}
        return await api.post("/v1/invitations", body)

    here.show_one(here.run(here.operator(), work))


@app.command()
def accept(
    context: typer.Context,
    email: str,
    tenant: _Tenant = "",
    name: str = typer.Option("", help="remember the tenant under this name too"),
    generate: bool = typer.Option(False, help="make a random password instead of asking for one"),
) -> None:
    """Accept an invitation (asked for, or the first line of standard input) and remember it."""
    here = session(context)
    address = email_or_fail(email)
    credentials.require_writable(here.credentials)
    invitation = ask("Invitation").strip()
    password = secrets.token_urlsafe(24) if generate else ask("Password", twice=True)
    login = Login(address, password, tenant or None)

    async def join(api: Api) -> None:
        await api.accept(invitation)

    async def look(api: Api) -> Any:
        return await api.get("/v1/me")

    here.run(login, join)
    credentials.remember(here.credentials, login, name)  # before anything else can go wrong
    me = here.run(login, look)
    here.show_one({"user": me["user"], "email": me["email"], "level": me["level"]})


@app.command()
def unlock(
    context: typer.Context,
    user: str = typer.Argument(..., help="user id; an e-mail address too, with --tenant"),
    tenant: str = typer.Option("", help="tenant id or name; none: an operator"),
) -> None:
    """Forget the faulty log-ins of a user, so that the next one is looked at again."""
    here = session(context)
    login = here.tenant(tenant) if tenant else here.operator()
    base = f"/t/{login.tenant}/v1/users" if tenant else "/v1/operators"

    async def work(api: Api) -> str:
        found = await _find(api, base, user) if tenant and "@" in user else id_(user)
        await api.call("DELETE", f"{base}/{found}/lockout")
        return found

    here.show_one({"unlocked": here.run(login, work)})


async def _find(api: Api, base: str, email: str) -> str:
    address = email_or_fail(email)
    for user in (await api.get(base))["users"]:
        if user["email"] == address:
            return str(UUID(user["id"]))
    return fail(f"the tenant has no user {address}", REFUSED)
