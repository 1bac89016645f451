"""What every command shares: whose credentials, how to print, and which exit code an error has."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from ops.api import Api, ApiRefused, GaveUp, Login
from ops.secrets import write_private

REFUSED, UNREACHABLE, TOO_SLOW, INTERRUPTED = 1, 3, 4, 130
_errors = Console(stderr=True)


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


@dataclass
class Session:
    """The credentials file and the output form of this call."""

    credentials: str
    output: Output

    def known(self) -> dict[str, Any]:
        """What the credentials file holds; ends the program where there is none."""
        path = Path(self.credentials)
        if not path.exists():
            fail(f"no credentials in {path}: name a file with --credentials", UNREACHABLE)
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def operator(self) -> Login:
        """The operator's login."""
        one = self.known().get("operator") or fail("the credentials name no operator", REFUSED)
        return Login(one["email"], one["password"])

    def tenant(self, wanted: str) -> Login:
        """A login in the tenant of that id or name."""
        for tenant, one in self.known().get("tenants", {}).items():
            if wanted in {tenant, one.get("name")}:
                return Login(one["email"], one["password"], tenant)
        return fail(f"the credentials hold no login for tenant {wanted}", REFUSED)

    def remember(self, login: Login, name: str = "") -> None:
        """Add a login to the credentials file."""
        known = self.known()
        one = {"email": login.email, "password": login.password}
        if login.tenant is None:
            known["operator"] = one
        else:
            known.setdefault("tenants", {})[login.tenant] = one | {"name": name}
        write_private(Path(self.credentials), json.dumps(known, indent=1) + "\n")

    def run(self, login: Login | None, work: Callable[[Api], Awaitable[Any]]) -> Any:
        """Run `work` with a client of that login; problems end the program with their code."""
        known = self.known()

        async def whole() -> Any:
            async with Api(known["url"], Path(known["ca"]), login) as api:
                return await work(api)

        try:
            return asyncio.run(whole())
        except ApiRefused as refused:
            fail(str(refused), REFUSED)
        except httpx2.TransportError as error:
            fail(f"cannot reach {known['url']}: {type(error).__name__}", UNREACHABLE)
        except GaveUp as late:
            fail(str(late), TOO_SLOW)

    def show(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
        """Rows as a table of these columns, or whole as JSON."""
        if self.output is Output.JSON:
            typer.echo(json.dumps(list(rows), indent=1))
            return
        table = Table()
        for column in columns:  # ids are for the next command: never cut short
            table.add_column(column, overflow="fold", no_wrap=column == "id")
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        Console().print(table)

    def show_one(self, row: dict[str, Any]) -> None:
        """One result."""
        if self.output is Output.JSON:
            typer.echo(json.dumps(row, indent=1))
            return
        for name, value in row.items():
            Console().print(f"[bold]{name}[/]: {_cell(value)}", highlight=False)


def session(context: typer.Context) -> Session:
    """The session of the present call."""
    found = context.obj
    assert isinstance(found, Session)
    return found


def ask(what: str, *, twice: bool = False) -> str:
    """A secret from the terminal without echo, or the next line of standard input."""
    if sys.stdin.isatty():
        answer: str = typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
        return answer
    return sys.stdin.readline().strip()


def fail(message: str, code: int) -> NoReturn:
    """Say why on stderr and end with the code."""
    _errors.print(f"[red]{message}[/]", highlight=False)
    raise typer.Exit(code)


def _cell(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return "" if value is None else str(value)
