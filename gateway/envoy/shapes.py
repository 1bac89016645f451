"""The shapes that every Envoy resource shares, so that renderers state only what is particular."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

Resource = dict[str, Any]

_TYPE = "type.googleapis.com/"


def typed(kind: str, **fields: Any) -> Resource:
    """A message inside an Any: its protobuf name and its fields."""
    return {"@type": _TYPE + kind, **fields}


def named(name: str, kind: str, **fields: Any) -> Resource:
    """An extension: a name and its typed configuration."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def script(name: str, file: str) -> Resource:
    """A Lua filter with one of our scripts; looking for the route again is up to the script."""
    return named(
        name,
        "envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code={"inline_string": (files("gateway.envoy") / file).read_text()},
        clear_route_cache=False,
    )


def first_of(*operators: tuple[str, str] | str) -> str:
    """A format that gives the first of these operators (with its parameter) that has a value."""
    commands = [
        one if isinstance(one, str) else {"command": one[0], "param": one[1]} for one in operators
    ]
    return f"%COALESCE({json.dumps({'operators': commands})})%"


def from_file(path: Path) -> Resource:
    """A configuration source that Envoy reads again whenever `path` is replaced by a rename."""
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def socket(host: str, port: int) -> Resource:
    return {"socket_address": {"address": host, "port_value": port}}


def document(content: Resource) -> bytes:
    """JSON as it lies in a file: stable and readable, so that two renderings can be compared."""
    return (json.dumps(content, indent=1) + "\n").encode()


def discovery(*resources: Resource) -> bytes:
    """A discovery response file with these resources."""
    return document({"resources": list(resources)})
