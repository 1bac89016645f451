"""`bulkhead user`: invite people, and accept an invitation."""

import secrets
from typing import Any

import typer

from ops.api import Api, Login
from ops.cli.session import ask, session

app = typer.Typer(help="Users: invite, accept.", no_args_is_help=True)


@app.command()
def invite(
    context: typer.Context,
    email: str,
    tenant: str = typer.Option("", help="tenant id; none: another operator"),
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
    tenant: str = typer.Option("", help="tenant id; none: an operator"),
    name: str = typer.Option("", help="remember the tenant under this name too"),
    generate: bool = typer.Option(False, help="make a random password instead of asking for one"),
) -> None:
    """Accept an invitation (asked for, or the first line of standard input) and remember it."""
    here = session(context)
    invitation = ask("Invitation")
    password = secrets.token_urlsafe(24) if generate else ask("Password", twice=True)
    login = Login(email, password, tenant or None)

    async def work(api: Api) -> dict[str, Any]:
        await api.accept(invitation)
        return dict(await api.get("/v1/me"))

    me = here.run(login, work)
    here.remember(login, name)
    here.show_one({"user": me["user"], "email": me["email"], "level": me["level"]})
