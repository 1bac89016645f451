"""What the definition of a connection chooses: which of its mapped fields may leave."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.api import Api
from ops.cli.ending import REFUSED, USAGE, fail

Choice = Mapping[str, list[str]]


def taken_from(body: dict[str, Any], definition: Path) -> Choice:
    """Take the choice out of the definition."""
    choice = body.pop("choose", {})
    lists = choice.values() if isinstance(choice, dict) else [None]
    if not all(isinstance(one, list) and all(isinstance(f, str) for f in one) for one in lists):
        fail(f"`choose` in {definition} is not an object of modules and lists of fields", USAGE)
    found: Choice = choice
    return found


def require_mapped(modules: Any, choice: Choice) -> None:
    """Refuse to choose what the definition does not map: it would be refused once it is saved."""
    for module, fields in choice.items():
        mapping = modules.get(module) if isinstance(modules, dict) else None
        mapped = mapping.get("fields") if isinstance(mapping, dict) else None
        for field in fields:
            if not isinstance(mapped, dict) or field not in mapped:
                which = f"{field} of {module}, which `modules` does not map"
                fail(f"`choose` names {which}: nothing was done", REFUSED)


async def require_fields(api: Api, base: str, choice: Choice) -> None:
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


async def choose(
    api: Api, base: str, connection: str, choice: Choice, *, is_change: bool
) -> list[str]:
    """Say which fields may leave; what was done. Another choice than that is kept, or changed."""
    done = []
    for module, fields in choice.items():
        path = f"{base}/field-choices/{connection}/{module}"
        present = (await api.get(path))["fields"]
        if sorted(present) == sorted(set(fields)):
            continue
        if present and not is_change:
            fail(f"the connection has another choice of fields for {module} already", REFUSED)
        await api.put(path, {"fields": fields})
        done.append(f"fields of {module} chosen")
    return done
