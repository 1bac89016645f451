"""`bulkhead connection add`: probe a CRM, save the connection, choose what may leave."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ops.api import Api
from ops.cli.ending import REFUSED, USAGE, fail
from ops.cli.files import read_json, read_text, without_line_end
from ops.cli.session import ask, session

TENANT = typer.Option(..., help="tenant id or name")
_WHAT = "definition"


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
    body = read_json(definition, _WHAT)
    choice = _choice(body, definition)
    login = here.tenant(tenant)
    base = f"/t/{login.tenant}/v1"
    here.run(login, lambda api: _require_fields(api, base, choice))
    _require_mapped(body.get("modules"), choice)
    body["client_secret"] = client_secret(secret_file)

    async def work(api: Api) -> Any:
        made, done = await _find(api, base, body), []
        if made is None:
            made, done = await api.post(f"{base}/connections", body), ["connection saved"]
        for module, fields in choice.items():
            path = f"{base}/field-choices/{made['id']}/{module}"
            done += await _choose(api, path, module, fields)
        return dict(made) | {"done": done}

    here.show_one(here.run(login, work))


def _choice(body: dict[str, Any], definition: Path) -> dict[str, list[str]]:
    """Take the choice out of the definition."""
    choice = body.pop("choose", {})
    lists = choice.values() if isinstance(choice, dict) else [None]
    if not all(isinstance(one, list) and all(isinstance(f, str) for f in one) for one in lists):
        fail(f"`choose` in {definition} is not an object of modules and lists of fields", USAGE)
    found: dict[str, list[str]] = choice
    return found


def _require_mapped(modules: Any, choice: Mapping[str, list[str]]) -> None:
    """Refuse to choose what the definition does not map: it would be refused once it is saved."""
    for module, fields in choice.items():
        mapping = modules.get(module) if isinstance(modules, dict) else None
        mapped = mapping.get("fields") if isinstance(mapping, dict) else None
        for field in fields:
            if not isinstance(mapped, dict) or field not in mapped:
                which = f"{field} of {module}, which `modules` does not map"
                fail(f"`choose` names {which}: nothing was done", REFUSED)


def client_secret(file: Path | None) -> str:
    if file is None:
        return ask("Client secret")
    secret = without_line_end(read_text(file, "secret file"))
    return secret or fail(f"the secret file {file} is empty", USAGE)


async def _require_fields(api: Api, base: str, choice: Mapping[str, list[str]]) -> None:
    """Refuse a module or field that is not there before anything is saved."""
    known = {
        module["module"]: {field["field"] for field in module["fields"]}
        for module in (await api.get(f"{base}/modules"))["modules"]
    }
    for module, fields in choice.items():
        if module not in known:
            fail(f"`choose` names {module}, which is no module: nothing was done", REFUSED)
        for strange in [field for field in fields if field not in known[module]]:
            fail(f"`choose` names {strange}, no field of {module}: nothing was done", REFUSED)


async def _find(api: Api, base: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The connection that an earlier call saved from the same definition."""
    given = {name: value for name, value in body.items() if name != "client_secret"}
    for one in (await api.get(f"{base}/connections"))["connections"]:
        if one["state"] != "removed" and _is_made_of(one, given):
            return dict(one)
    return None


def _is_made_of(made: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """What a definition leaves out of a module is as the API has it then."""
    ours, theirs = given.get("modules"), made["modules"]
    if not isinstance(ours, dict) or ours.keys() != theirs.keys():
        return False
    full = {name: theirs[name] | one for name, one in ours.items() if isinstance(one, dict)}
    return full == theirs and all(made.get(n) == v for n, v in given.items() if n != "modules")


async def _choose(api: Api, path: str, module: str, fields: list[str]) -> list[str]:
    present = (await api.get(path))["fields"]
    if sorted(present) == sorted(set(fields)):
        return []
    if present:
        fail(f"the connection has another choice of fields for {module} already", REFUSED)
    await api.put(path, {"fields": fields})
    return [f"fields of {module} chosen"]
