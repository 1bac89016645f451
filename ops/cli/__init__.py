"""`bulkhead`: the operators' command line. It talks to the API through the gateway like any other
client; only `run`, `demo` and `clean` concern this machine."""

import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from traceback import extract_tb

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from ops.cli import allowlists, backups, connections, letters, local, logins, tenants, users
from ops.cli.ending import FAULT, INTERRUPTED, REFUSED, USAGE, fail
from ops.cli.session import Output, Session

app = typer.Typer(
    name="bulkhead",
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("run")(local.run)
app.command("demo")(local.demo)
app.command("clean")(local.clean)
app.command("status")(tenants.status)
app.command("logout")(logins.logout)
app.add_typer(tenants.app, name="tenant")
app.add_typer(users.app, name="user")
app.add_typer(allowlists.app, name="allowlist")
app.add_typer(connections.app, name="connection")
app.add_typer(backups.app, name="backup")
app.add_typer(letters.app, name="letters")


@app.callback()
def options(
    context: typer.Context,
    credentials: Path = typer.Option(
        Path(".run/credentials.json"),
        envvar="BULKHEAD_CREDENTIALS",
        help="address, CA and logins",
    ),
    output: Output = typer.Option(Output.TABLE, help="for people, or JSON for programs"),
) -> None:
    """Options of every command."""
    context.obj = Session(credentials, output)


def main() -> None:
    """The console script. Exit codes: 0 done, 1 refused, 2 usage, 3 not reachable, 4 too slow."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.getLogger().addHandler(logging.NullHandler())  # libraries do not speak to operators
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # `bulkhead tenant list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = REFUSED
    sys.exit(code)


def _run(words: list[str]) -> int:
    try:
        _require_text(words)
        return int(app(words, standalone_mode=False) or 0)
    except typer.Exit as end:
        return end.exit_code
    except NoArgsIsHelpError as help_:
        help_.show()
        return USAGE
    except ClickException as wrong:
        return _told(wrong.format_message(), wrong.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _told("stopped", INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as fault:
        at = extract_tb(fault.__traceback__)[-1]
        place = f"{Path(at.filename).name}:{at.lineno}"
        return _told(f"a fault of this program: {type(fault).__name__} at {place}", FAULT)


def _require_text(words: list[str]) -> None:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            fail(f"{word} is not text in UTF-8", USAGE)


def _told(message: str, code: int) -> int:
    try:
        fail(message, code)
    except typer.Exit as end:
        return end.exit_code
