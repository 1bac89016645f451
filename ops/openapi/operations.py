"""One operation of the API document: who may call it, what it takes, and what it answers."""

import re
from collections.abc import Mapping
from typing import Any

from contracts.authorise import PUBLIC
from ops.openapi import examples
from ops.openapi.fixed import ETAG, IF_MATCH, LOCATION, PARAMETERS, REQUEST_ID, TAG_OF, TAGS

_QUEUING = {"ask_backup", "ask_run", "execute_restore"}
"""Operations that answer 202 and say where to look again."""
_VERSIONED = {"create_record", "read_record", "change_record"}
"""Operations whose answer has an entity tag."""


def described(path: str, made: Mapping[str, Any], permission: str) -> dict[str, Any]:
    """What the routes say of an operation, with who may call it, its headers and an example."""
    said = str(made.get("description", "")).strip()
    parameters = [
        _with_meaning(IF_MATCH if one["name"].lower() == "if-match" else one)
        for one in [*_missing(path, made), *made.get("parameters", [])]
    ]
    done = {
        "tags": [_tag(path)],
        "summary": said.partition(".")[0] or made["summary"],
        "description": _with_permission(said, permission),
        "operationId": made["operationId"],
        "security": [] if permission == PUBLIC else [{"accessToken": []}],
        "x-permission": permission,
    }
    if parameters:
        done["parameters"] = parameters
    if "requestBody" in made:
        done["requestBody"] = made["requestBody"]
    done["responses"] = _responses(made["operationId"], made["responses"])
    examples.put_into(done)
    return done


def _with_meaning(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """KeyError where nobody says what it means."""
    said = parameter.get("description") or PARAMETERS[parameter["name"]]
    return {**parameter, "description": said}


def _with_permission(said: str, permission: str) -> str:
    needs = "Needs no token." if permission == PUBLIC else f"Needs the permission `{permission}`."
    return f"{said}\n\n{needs}".strip()


def _missing(path: str, made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameters of the path that its function does not take: a guard reads them."""
    named = {one["name"] for one in made.get("parameters", [])}
    return [
        {"name": name, "in": "path", "required": True, "schema": _schema_of(name)}
        for name in re.findall(r"\{(\w+)\}", path)
        if name not in named
    ]


def _schema_of(name: str) -> dict[str, str]:
    return (
        {"type": "string"} if name in {"module", "slug"} else {"type": "string", "format": "uuid"}
    )


def _responses(name: str, made: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for status, response in made.items():
        if status.startswith(("4", "5")):
            continue
        headers = {"x-request-id": REQUEST_ID}
        if status == "201" or (status == "202" and name in _QUEUING):
            headers["Location"] = LOCATION
        if name in _VERSIONED and status != "204":
            headers["ETag"] = ETAG
        found[status] = response | {"headers": headers}
    problem = {"$ref": "#/components/responses/Problem"}
    return found | {"4XX": problem, "5XX": problem}


def _tag(path: str) -> str:
    """The part of the API that a path belongs to; KeyError where it has none yet."""
    first = path.removeprefix("/t/{tenant}").removeprefix("/v1").strip("/").partition("/")[0]
    name = TAG_OF.get(first, first)
    if name not in TAGS:
        raise KeyError(f"{path} belongs to no part of the API that has a description")
    return name
