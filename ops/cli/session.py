"""What every command shares: whose credentials, how results look, and which exit code each end has.

A refusal, a broken file and a foreign answer end the program with one sentence, never a traceback.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from ops import printing
from ops.answers import AnswerForeign, ApiRefused, Unreachable
from ops.api import Api, GaveUp, Login
from ops.cli import credentials
from ops.cli.credentials import KnownInstallation
from ops.cli.ending import REFUSED, TOO_SLOW, UNREACHABLE, USAGE, fail
from ops.cli.files import without_line_end
from ops.cli.kept_session import KeptSession


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


@dataclass
class Session:
    """The credentials file and the output form of this call."""

    credentials: Path
    output: Output

    @cached_property
    def known(self) -> KnownInstallation:
        """What the credentials file holds; ends the program where it cannot be used."""
        return credentials.read(self.credentials)

    def operator(self) -> Login:
        """The operator's login."""
        return self.known.operator or fail("the credentials name no operator", REFUSED)

    def tenant(self, wanted: str) -> Login:
        """A login in the tenant of that id or name."""
        return self.known.tenant(wanted)

    def kept(self, login: Login) -> KeptSession:
        return KeptSession(self.credentials, self.known.url, login)

    def run(self, login: Login, work: Callable[[Api], Awaitable[Any]]) -> Any:
        """Run `work` with a client of that login; problems end the program with their code."""
        url, keeper = self.known.url, self.kept(login)

        async def whole() -> Any:
            async with Api(url, self.known.trust, login, keeper=keeper) as api:
                return await work(api)

        try:
            return asyncio.run(whole())
        except ApiRefused as refused:
            fail(str(refused), REFUSED)
        except Unreachable as error:
            fail(f"cannot reach {url}: {error}", UNREACHABLE)
        except AnswerForeign as error:
            fail(f"what answers at {url} is not Bulkhead: {error}", UNREACHABLE)
        except (LookupError, TypeError, ValueError) as error:
            what = type(error).__name__
            fail(f"what {url} answered lacks what it should hold ({what})", UNREACHABLE)
        except GaveUp as late:
            fail(str(late), TOO_SLOW)

    def show(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Rows as a table of these columns, or whole as JSON."""
        if self.output is Output.JSON:
            printing.show_json(list(rows))
            return
        cells = [[_cell({**row}.get(column)) for column in columns] for row in rows]
        printing.show_table(columns, cells)

    def show_one(self, row: Mapping[str, Any]) -> None:
        """One result."""
        if self.output is Output.JSON:
            printing.show_json(row)
            return
        for name, value in row.items():
            printing.say((name, "bold"), f": {_cell(value)}")


def session(context: typer.Context) -> Session:
    """The session of the present call."""
    found = context.obj
    assert isinstance(found, Session)
    return found


def ask(what: str, *, twice: bool = False) -> str:
    """A secret from the terminal without echo, or the next line of standard input.

    Blanks are part of it: nobody else's log-in form takes them away.
    """
    if sys.stdin.isatty():
        answer: str = typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
        return answer
    try:
        given = without_line_end(sys.stdin.buffer.readline().decode())
    except UnicodeDecodeError:
        fail(f"{what}: what came on standard input is not UTF-8", USAGE)
    return given or fail(f"{what}: nothing came on standard input", USAGE)


def _cell(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
