"""`bulkhead allowlist`: which addresses may come in, for the whole edge or one tenant."""

from typing import Any

import typer

from ops.api import Api
from ops.cli.session import session

app = typer.Typer(help="Address ranges that may come in.", no_args_is_help=True)
_WHOSE = typer.Argument("global", help="tenant id, or `global`")


@app.command()
def show(context: typer.Context, whose: str = _WHOSE) -> None:
    """The ranges in force."""
    here = session(context)

    async def work(api: Api) -> Any:
        return await api.get(f"/v1/allowlists/{whose}")

    here.show_one(here.run(here.operator(), work))


@app.command("set")
def set_(context: typer.Context, whose: str, ranges: list[str]) -> None:
    """Replace the ranges; in force when the command returns."""
    here = session(context)

    async def work(api: Api) -> Any:
        return await api.put(f"/v1/allowlists/{whose}", {"ranges": ranges})

    here.show_one(here.run(here.operator(), work) or {"ranges": ranges})
