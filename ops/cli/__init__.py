"""`bulkhead`: the operators' command line. It talks to the API through the gateway like any other
client; only `run`, `demo` and `clean` concern this machine."""

import typer

from ops.cli import allowlists, backups, connections, letters, local, tenants, users
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
app.add_typer(tenants.app, name="tenant")
app.add_typer(users.app, name="user")
app.add_typer(allowlists.app, name="allowlist")
app.add_typer(connections.app, name="connection")
app.add_typer(backups.app, name="backup")
app.add_typer(letters.app, name="letters")


@app.callback()
def options(
    context: typer.Context,
    credentials: str = typer.Option(
        ".run/credentials.json", envvar="BULKHEAD_CREDENTIALS", help="address, CA and logins"
    ),
    output: Output = typer.Option(Output.TABLE, help="for people, or JSON for programs"),
) -> None:
    """Options of every command."""
    context.obj = Session(credentials, output)


def main() -> None:
    """The console script. Exit codes: 0 done, 1 refused, 2 usage, 3 not reachable, 4 too slow."""
    app()
