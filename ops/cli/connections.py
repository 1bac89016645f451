"""`bulkhead connection`: every verb of the API on connections; as a user of the tenant.

A verb that is one call is a row of the table: its path, what may be said, and how it is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.api import Api
from ops.cli import connection_watching
from ops.cli.checks import id_
from ops.cli.connection_adding import TENANT, add, client_secret
from ops.cli.session import session

app = typer.Typer(
    help="Connections to a CRM: add, watch, repair, read the ledger.", no_args_is_help=True
)
_ID = Annotated[str, typer.Argument(callback=id_, help="id of the connection")]


@dataclass(frozen=True)
class Verb:
    """One call on a connection. `said` are options that go into its query or body.

    `rows` names the list in the answer and `columns` what is shown of it; an answer that is one
    thing is shown whole, and one without a body as `done`.
    """

    name: str
    method: str
    path: str
    help: str
    said: Mapping[str, str] | None = None
    rows: str = ""
    columns: Sequence[str] = ()
    done: str = ""


_WHICH = {
    "record": "id of one record",
    "code": "only for this reason",
    "module": "only of this module",
}
_PAGE = {"limit": "entries of a page", "cursor": "last entry of the page before"}
_CALLS = {
    "from": "not before this time",
    "to": "before this time",
    "operation": "only such calls",
    "table": "only to this table",
    "host": "only to this host",
    "answer": "1xx to 5xx, or none",
}
VERBS = (
    Verb("show", "GET", "", "One connection: its state, reason and counts."),
    Verb("pause", "POST", "/pause", "Send nothing until it is resumed.", done="paused"),
    Verb("resume", "POST", "/resume", "Send again what has waited.", done="resumed"),
    Verb("remove", "DELETE", "", "Forget it and its secrets; the ledger is kept.", done="removed"),
    Verb(
        "outcomes",
        "GET",
        "/outcomes",
        "What became of each record.",
        {"state": "only in this state", "key": "only with this key", **_WHICH, **_PAGE},
        rows="outcomes",
        columns=("record", "module", "key", "state", "code", "reason"),
    ),
    Verb(
        "summary",
        "GET",
        "/outcomes/summary",
        "How many records are in which state, and why.",
        rows="counts",
        columns=("module", "state", "code", "rows"),
    ),
    Verb("retry", "POST", "/retry", "Try parked records again: some, or all.", _WHICH),
    Verb(
        "runs",
        "GET",
        "/runs",
        "Pushes that had something to do, newest first.",
        _PAGE,
        rows="runs",
        columns=("id", "why", "state", "due", "sent", "parked", "started_at", "reason"),
    ),
    Verb(
        "ledger",
        "GET",
        "/ledger",
        "Calls that left, newest first.",
        {**_CALLS, **_PAGE},
        rows="calls",
        columns=("at", "host", "operation", "table", "rows", "request_bytes", "status", "error"),
    ),
)


def _command(verb: Verb) -> Callable[..., None]:
    """A function as typer takes it, with an option for everything that may be said."""

    def command(context: typer.Context, connection: str, tenant: str, **said: str | None) -> None:
        given = {name.rstrip("_"): value for name, value in said.items() if value is not None}
        here = session(context)
        login = here.tenant(tenant)
        path = f"/t/{login.tenant}/v1/connections/{connection}{verb.path}"

        async def work(api: Api) -> Any:
            if verb.method == "GET":
                return await api.get(path, **given)
            return await api.call(verb.method, path, json=given or None)

        answer = here.run(login, work)
        if verb.rows:
            here.show(answer[verb.rows], verb.columns)
        else:
            here.show_one(answer if answer is not None else {verb.done: connection})

    keyword = Parameter.KEYWORD_ONLY
    options = [
        Parameter(
            f"{name}_",
            keyword,
            default=typer.Option(None, f"--{name}", help=what),
            annotation=str | None,
        )
        for name, what in (verb.said or {}).items()
    ]
    fixed = [
        Parameter("context", keyword, annotation=typer.Context),
        Parameter("connection", keyword, annotation=_ID),
        Parameter("tenant", keyword, default=TENANT, annotation=str),
    ]
    command.__signature__ = Signature([*fixed, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in [*fixed, *options]}
    command.__doc__ = verb.help
    return command


app.command("add")(add)
for _verb in VERBS:
    app.command(_verb.name)(_command(_verb))
app.command("push")(connection_watching.push)
app.command("watch")(connection_watching.watch)
app.command("export")(connection_watching.export)


@app.command("list")
def list_(context: typer.Context, tenant: str = TENANT) -> None:
    """The tenant's connections; never their secrets."""
    here = session(context)
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        return (await api.get(f"/t/{login.tenant}/v1/connections"))["connections"]

    here.show(here.run(login, work), ("id", "name", "state", "environment_url"))


@app.command("test")
def probe(context: typer.Context, connection: _ID, tenant: str = TENANT) -> None:
    """Probe a saved connection again: certificate, credentials, table, key, fields."""
    here = session(context)
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        return await api.post(f"/t/{login.tenant}/v1/connections/{connection}/test")

    here.show_one(here.run(login, work) or {"connection": connection, "test": "passed"})


@app.command()
def credentials(
    context: typer.Context,
    connection: _ID,
    tenant: str = TENANT,
    secret_file: Path | None = typer.Option(None, help="holds the client secret; else asked for"),
) -> None:
    """Switch to a new client secret, after it has proved itself."""
    here = session(context)
    login = here.tenant(tenant)
    path = f"/t/{login.tenant}/v1/connections/{connection}/credentials"
    body = {"client_secret": client_secret(secret_file)}
    here.run(login, lambda api: api.put(path, body))
    here.show_one({"credentials changed": connection})
