"""`bulkhead connection push`, `watch` and `export`: what takes its time, with how far it is."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ops import printing
from ops.api import Api, until
from ops.cli.connection_adding import TENANT
from ops.cli.connection_verbs import CONNECTION
from ops.cli.ending import REFUSED, fail
from ops.cli.files import written
from ops.cli.session import session

CALLS = {
    "from": "not before this time",
    "to": "before this time",
    "operation": "only such calls",
    "table": "only to this table",
    "host": "only to this host",
    "answer": "1xx to 5xx, or none",
}
"""Which calls of the ledger: `ledger` and `export` take the same."""
_SHOWN = ("id", "why", "state", "reason", "due", "sent", "unchanged", "parked", "retried")
_UNENDED = {"asked", "running"}
_GOES_ON = {"cut", "overtaken", "interrupted"}
_DEADLINE_S = 24 * 3600.0


def push(context: typer.Context, connection: CONNECTION, tenant: str = TENANT) -> None:
    """Push what is due now, and show how far it is until it has ended."""
    here = session(context)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1/connections/{connection}"

    async def work(api: Api) -> Any:
        asked = await api.post(f"{base}/runs")
        return _succeeded(await _follow(api, f"{base}/runs/{asked['id']}"))

    here.show_one(here.run(login, work))


def watch(context: typer.Context, connection: CONNECTION, tenant: str = TENANT) -> None:
    """Show rows due, sent and parked, rate and time left, until the present run has ended."""
    here = session(context)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1/connections/{connection}"

    async def work(api: Api) -> Any:
        while True:
            ended = await _follow(api, f"{base}/runs")
            view = await api.get(base)
            waiting = view["outcomes"].get("pending", 0)
            if ended["state"] not in _GOES_ON or not waiting or view["state"] != "active":
                return _succeeded(ended)

    here.show_one(here.run(login, work))


def export(
    context: typer.Context,
    connection: CONNECTION,
    tenant: str = TENANT,
    format_: str = typer.Option("csv", "--format", help="csv or jsonl"),
    since: str | None = typer.Option(None, "--from", help=CALLS["from"]),
    until_: str | None = typer.Option(None, "--to", help=CALLS["to"]),
    operation: str | None = typer.Option(None, help=CALLS["operation"]),
    table: str | None = typer.Option(None, help=CALLS["table"]),
    host: str | None = typer.Option(None, help=CALLS["host"]),
    answer: str | None = typer.Option(None, help=CALLS["answer"]),
    file: Path | None = typer.Option(None, help="write there, not to standard output"),
) -> None:
    """The whole ledger as a file; what could not be read to its end is said."""
    here = session(context)
    login = here.tenant(tenant)
    path = f"/t/{login.tenant}/v1/connections/{connection}/ledger/export"
    said = {"format": format_, "from": since, "to": until_, "operation": operation}
    said |= {"table": table, "host": host, "answer": answer}
    query = {name: value for name, value in said.items() if value is not None}

    async def work(api: Api) -> int:
        if file is None:
            return await api.save(path, sys.stdout.buffer, query)
        with written(file) as target:
            return await api.save(path, target, query)

    size = here.run(login, work)
    if file is not None:
        here.show_one({"file": str(file), "bytes": size})


async def _follow(api: Api, path: str) -> Any:
    """The run at the path, or the newest one of a list, once it has ended."""
    await api.get(path)  # whatever is wrong is said before anything is shown
    with printing.progress("run") as show:

        async def ended() -> Any:
            found = await api.get(path)
            run = found if "state" in found else next(iter(found["runs"]), None)
            if run is None:
                show("nothing was due yet")
                return None
            show(_told(run))
            return run if run["state"] not in _UNENDED else None

        return await until("run", ended, deadline_s=_DEADLINE_S, pause_s=0.5)


def _told(run: Mapping[str, Any]) -> str:
    parts = [run["state"]] + [f"{run[name]} {name}" for name in ("due", "sent", "parked")]
    if run["rows_per_s"]:
        parts.append(f"{run['rows_per_s']} rows/s")
    if run["seconds_left"] is not None:
        parts.append(f"about {run['seconds_left']} s left")
    return ", ".join(parts)


def _succeeded(run: Mapping[str, Any]) -> dict[str, Any]:
    if run["state"] in ("failed", "stopped"):
        fail(f"{run['state']}: {run['reason']}", REFUSED)
    return {name: run[name] for name in _SHOWN}
