"""`bulkhead connection`: every verb of the API on connections; as a user of the tenant."""

from typing import Annotated, Any

import typer

from ops.api import Api
from ops.cli import (
    connection_credentials,
    connection_showing,
    connection_verbs,
    connection_watching,
)
from ops.cli.checks import id_
from ops.cli.connection_adding import TENANT, add
from ops.cli.connection_changing import change
from ops.cli.connection_verbs import Verb
from ops.cli.session import session

app = typer.Typer(
    help="Connections to a CRM: add, watch, repair, read the ledger.", no_args_is_help=True
)
_WHICH = {
    "record": "id of one record",
    "code": "only for this reason",
    "module": "only of this module",
}
_PAGE = {"limit": "entries of a page", "cursor": "last entry of the page before"}
VERBS = (
    Verb("show", "GET", "", "One connection: its state, reason and counts."),
    Verb("pause", "POST", "/pause", "Send nothing until it is resumed.", done="paused"),
    Verb(
        "resume",
        "POST",
        "/resume",
        "Send again what has waited.",
        flags={"lift_wait": "also where the CRM has asked to be left alone for longer"},
        done="resumed",
    ),
    Verb("remove", "DELETE", "", "Forget it and its secrets; the ledger is kept.", done="removed"),
    Verb(
        "test",
        "POST",
        "/test",
        "Probe it again: credentials, tables, keys, columns; a broken one that is well goes on.",
        show=connection_showing.show_probe,
    ),
    Verb(
        "dry-run",
        "POST",
        "/dry-run",
        "What a push would create, change and refuse; nothing is sent.",
        {"module": "only of this module", "limit": "records of each module to look at"},
        unsaid={},
        show=connection_showing.show_dry_run,
    ),
    Verb(
        "compare",
        "GET",
        "/comparison",
        "Records that there are here, beside what became of them there.",
        show=connection_showing.show_comparison,
    ),
    Verb(
        "outcomes",
        "GET",
        "/outcomes",
        "What became of each record.",
        {"state": "only in this state", "key": "only with this key", **_WHICH, **_PAGE},
        rows="outcomes",
        columns=("record", "module", "key", "state", "code", "reason", "detail"),
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
        "resync",
        "POST",
        "/resync",
        "Forget what the CRM is believed to hold: all is sent again whole, or only what is named.",
        {"module": "only of this module", "key": "only the record with this key in it"},
        unsaid={},
    ),
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
        "run",
        "GET",
        "/runs/{run}",
        "One push: why, how far, how it ended.",
        parts={"run": Annotated[str, typer.Argument(callback=id_, help="id of the run")]},
    ),
    Verb(
        "ledger",
        "GET",
        "/ledger",
        "Calls that left, newest first.",
        {**connection_watching.CALLS, **_PAGE},
        rows="calls",
        columns=("at", "host", "operation", "table", "rows", "request_bytes", "status", "error"),
    ),
)


app.command("add")(add)
app.command("change")(change)
connection_verbs.put_into(app, VERBS)
app.command("push")(connection_watching.push)
app.command("watch")(connection_watching.watch)
app.command("export")(connection_watching.export)
app.add_typer(connection_credentials.app, name="credentials")


@app.command("list")
def list_(context: typer.Context, tenant: str = TENANT) -> None:
    """The tenant's connections; never their secrets."""
    here = session(context)
    login = here.tenant(tenant)

    async def work(api: Api) -> Any:
        return (await api.get(f"/t/{login.tenant}/v1/connections"))["connections"]

    here.show(here.run(login, work), ("id", "name", "state", "environment_url"))
