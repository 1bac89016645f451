"""`bulkhead connection change`: name, mapping, policies or address in place, and what may leave."""

from pathlib import Path
from typing import Any

import typer

from ops.api import Api
from ops.cli import choices
from ops.cli.connection_adding import TENANT, WHAT
from ops.cli.connection_verbs import CONNECTION
from ops.cli.ending import USAGE, fail
from ops.cli.files import read_json
from ops.cli.session import session


def change(
    context: typer.Context,
    connection: CONNECTION,
    definition: Path | None = typer.Argument(None, help="JSON: what changes, as in `add`"),
    tenant: str = TENANT,
    name: str | None = typer.Option(None, help="another name"),
    missing: str | None = typer.Option(
        None, help="where a row was deleted in the CRM: recreate, park or forget"
    ),
    client_id: str | None = typer.Option(None, help="another application; see credentials, too"),
) -> None:
    """Probe the CRM with what changes and save it; a `choose` in the file says what may leave.

    Everything is compared anew. `modules` and each list of `choose` are replaced whole.
    """
    here = session(context)
    body = {} if definition is None else read_json(definition, WHAT)
    choice = {} if definition is None else choices.taken_from(body, definition)
    options = {"name": name, "missing": missing, "client_id": client_id}
    body |= {member: value for member, value in options.items() if value is not None}
    if not body and not choice:
        fail("nothing changes: name a file, or an option", USAGE)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1"
    one = f"{base}/connections/{connection}"

    async def work(api: Api) -> Any:
        if choice:
            await choices.require_fields(api, base, choice)
        if "modules" in body:
            choices.require_mapped(body["modules"], choice)
        changed = await (api.call("PATCH", one, json=body) if body else api.get(one))
        done = ["connection changed"] if body else []
        done += await choices.choose(api, base, connection, choice, is_change=True)
        return dict(changed) | {"done": done}

    here.show_one(here.run(login, work))
