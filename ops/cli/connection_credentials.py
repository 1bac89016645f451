"""`bulkhead connection credentials`: what a connection signs in with, and how that is changed.

A secret comes from a file or from standard input, never from an argument.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.api import Api
from ops.cli import connection_verbs
from ops.cli.connection_adding import TENANT, client_secret
from ops.cli.connection_verbs import CONNECTION, Verb
from ops.cli.files import written
from ops.cli.session import session

app = typer.Typer(help="What it signs in with: list, put, stage, drop.", no_args_is_help=True)
_SECRET = typer.Option(None, help="holds the client secret; else asked for")
_EXPIRES = typer.Option(None, help="when the secret ends, in UTC: a warning comes before")


class CredentialSlot(StrEnum):
    """Which one is forgotten: what is staged, or what was replaced."""

    NEXT = "next"
    PREVIOUS = "previous"


VERBS = (
    Verb(
        "list",
        "GET",
        "/credentials",
        "Each credential and what became of it; never a secret.",
        rows="credentials",
        columns=("slot", "kind", "made_at", "expires_at", "accepted_at", "refused_reason"),
    ),
    Verb(
        "drop",
        "DELETE",
        "/credentials/{slot}",
        "Forget the one that is staged (next), or the one that was replaced (previous).",
        parts={"slot": Annotated[CredentialSlot, typer.Argument()]},
        done="credential dropped",
    ),
)
connection_verbs.put_into(app, VERBS)


@app.command()
def put(
    context: typer.Context,
    connection: CONNECTION,
    tenant: str = TENANT,
    secret_file: Path | None = _SECRET,
    expires_at: datetime | None = _EXPIRES,
) -> None:
    """Switch to another client secret at once, if the CRM accepts it."""
    _send(context, connection, tenant, _body(secret_file, expires_at, "now"))


@app.command()
def stage(
    context: typer.Context,
    connection: CONNECTION,
    tenant: str = TENANT,
    secret_file: Path | None = _SECRET,
    expires_at: datetime | None = _EXPIRES,
) -> None:
    """Keep another client secret beside the one in use, until the CRM accepts it."""
    _send(context, connection, tenant, _body(secret_file, expires_at, "staged"))


def _body(secret_file: Path | None, expires_at: datetime | None, when: str) -> dict[str, str]:
    body = {"client_secret": client_secret(secret_file), "when": when}
    if expires_at is not None:
        body["expires_at"] = f"{expires_at.isoformat()}Z"
    return body


def _send(context: typer.Context, connection: str, tenant: str, body: dict[str, str]) -> None:
    here = session(context)
    login = here.tenant(tenant)
    path = f"/t/{login.tenant}/v1/connections/{connection}/credentials"
    here.run(login, lambda api: api.put(path, body))
    done = "credentials changed" if body["when"] == "now" else "credentials staged"
    here.show_one({done: connection})


@app.command()
def certificate(
    context: typer.Context,
    connection: CONNECTION,
    tenant: str = TENANT,
    file: Path = typer.Option(..., help="the certificate is written there, to be uploaded"),
    days: int = typer.Option(365, help="how long it will be valid"),
) -> None:
    """Make a key, which stays in Bulkhead, and stage its certificate until the CRM accepts it."""
    here = session(context)
    login = here.tenant(tenant)
    path = f"/t/{login.tenant}/v1/connections/{connection}/credentials/certificate"

    async def work(api: Api) -> Any:
        with written(file) as target:
            made = await api.post(path, {"days": days})
            target.write(made["certificate"]["pem"].encode("ascii"))
        prints = {name: made["certificate"][name] for name in ("sha1", "sha256")}
        return {"file": str(file), "expires_at": made["expires_at"], **prints}

    here.show_one(here.run(login, work))
