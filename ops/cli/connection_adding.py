"""`bulkhead connection add`: probe a CRM, save the connection, choose what may leave."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ops.api import Api
from ops.cli import choices
from ops.cli.ending import USAGE, fail
from ops.cli.files import read_json, read_text, without_line_end
from ops.cli.session import ask, session

TENANT = typer.Option(..., help="tenant id or name")
WHAT = "definition"


def add(
    context: typer.Context,
    definition: Path = typer.Argument(..., help="JSON, see docs/guides/connect.md"),
    tenant: str = TENANT,
    secret_file: Path | None = typer.Option(None, help="holds the client secret; else asked for"),
) -> None:
    """Probe a CRM and save the connection; chosen fields may leave afterwards.

    May be repeated: a connection that an earlier call has saved gets the choice that it lacks.
    """
    here = session(context)
    body = read_json(definition, WHAT)
    choice = choices.taken_from(body, definition)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1"
    here.run(login, lambda api: choices.require_fields(api, base, choice))
    choices.require_mapped(body.get("modules"), choice)
    body["client_secret"] = client_secret(secret_file)

    async def work(api: Api) -> Any:
        made, done = await _find(api, base, body), []
        if made is None:
            made, done = await api.post(f"{base}/connections", body), ["connection saved"]
        done += await choices.choose(api, base, made["id"], choice, is_change=False)
        return dict(made) | {"done": done}

    here.show_one(here.run(login, work))


def client_secret(file: Path | None) -> str:
    if file is None:
        return ask("Client secret")
    secret = without_line_end(read_text(file, "secret file"))
    return secret or fail(f"the secret file {file} is empty", USAGE)


async def _find(api: Api, base: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The connection that an earlier call saved from the same definition."""
    secret = {"client_secret", "secret_expires_at"}
    given = {name: value for name, value in body.items() if name not in secret}
    for one in (await api.get(f"{base}/connections"))["connections"]:
        if one["state"] != "removed" and _is_made_of(one, given):
            return dict(one)
    return None


def _is_made_of(made: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """What a definition leaves out of a module is as the API has it then."""
    ours, theirs = given.get("modules"), made["modules"]
    if not isinstance(ours, dict) or ours.keys() != theirs.keys():
        return False
    like = all(_is_like(one, theirs[name]) for name, one in ours.items())
    return like and all(
        made.get(name) == value for name, value in given.items() if name != "modules"
    )


def _is_like(ours: Any, theirs: Mapping[str, Any]) -> bool:
    if not isinstance(ours, dict):
        return False
    given = {**theirs, **ours, "fields": _whole(ours.get("fields"))}
    return given == {**theirs, "fields": _whole(theirs["fields"])}


def _whole(fields: Any) -> Any:
    """Each field with all that can be said of it: a name is a column of which nothing is said."""
    if not isinstance(fields, dict):
        return fields
    objects = {
        name: {"column": one} if isinstance(one, str) else one for name, one in fields.items()
    }
    plain: dict[str, Any] = {"choices": {}, "lookup": None}
    return {name: plain | one if isinstance(one, dict) else one for name, one in objects.items()}
