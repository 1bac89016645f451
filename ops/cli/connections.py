"""`bulkhead connection`: connections to a CRM; as a user of the tenant."""

import json
from pathlib import Path
from typing import Any

import typer

from ops.api import Api
from ops.cli.session import ask, session

app = typer.Typer(help="Connections to a CRM: add, list, test.", no_args_is_help=True)
_TENANT = typer.Option(..., help="tenant id or name")


@app.command()
def add(
    context: typer.Context,
    definition: Path = typer.Argument(..., exists=True, help="JSON, see docs/guides/connect.md"),
    tenant: str = _TENANT,
    secret_file: Path | None = typer.Option(None, help="holds the client secret; else asked for"),
) -> None:
    """Probe a CRM and save the connection; chosen fields may leave afterwards."""
    here = session(context)
    body = json.loads(definition.read_text())
    choice = body.pop("choose", {})
    secret = secret_file.read_text().strip() if secret_file else ""
    body["client_secret"] = secret or ask("Client secret")
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        made = await api.post(f"/t/{login.tenant}/v1/connections", body)
        for module, fields in choice.items():
            path = f"/t/{login.tenant}/v1/field-choices/{made['id']}/{module}"
            await api.put(path, {"fields": fields})
        return made

    here.show_one(here.run(login, work))


@app.command("list")
def list_(context: typer.Context, tenant: str = _TENANT) -> None:
    """The tenant's connections; never their secrets."""
    here = session(context)
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        return (await api.get(f"/t/{login.tenant}/v1/connections"))["connections"]

    here.show(here.run(login, work), ("id", "name", "state", "environment_url"))


@app.command("test")
def probe(context: typer.Context, connection: str, tenant: str = _TENANT) -> None:
    """Probe a saved connection again: certificate, credentials, table, key, fields."""
    here = session(context)
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        return await api.post(f"/t/{login.tenant}/v1/connections/{connection}/test")

    here.show_one(here.run(login, work) or {"connection": connection, "test": "passed"})
