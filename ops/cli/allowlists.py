"""`bulkhead allowlist`: which addresses may come in, for the whole edge or one tenant."""

from typing import Annotated, Any

import typer

from ops.api import Api
from ops.cli.checks import global_or_id, ranges_or_fail
from ops.cli.session import session

app = typer.Typer(help="Address ranges that may come in.", no_args_is_help=True)
_Whose = Annotated[
    str, typer.Argument(callback=global_or_id, help="tenant id, or `global`", show_default=True)
]


@app.command()
def show(context: typer.Context, whose: _Whose = "global") -> None:
    """The ranges in force."""
    here = session(context)

    async def work(api: Api) -> Any:
        return await api.get(f"/v1/allowlists/{whose}")

    here.show_one(here.run(here.operator(), work))


@app.command("set")
def set_(context: typer.Context, whose: _Whose, ranges: list[str]) -> None:
    """Replace the ranges; in force when the command returns."""
    here = session(context)
    wanted = ranges_or_fail(ranges)

    async def work(api: Api) -> Any:
        return await api.put(f"/v1/allowlists/{whose}", {"ranges": wanted})

    here.show_one(here.run(here.operator(), work) or {"ranges": wanted})
