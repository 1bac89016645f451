"""Writes the generated pages: events in words and as AsyncAPI, the public API as OpenAPI, and what
each problem means."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from contracts.events import EVENTS
from kit import problems
from kit.notice import Notice
from ops import openapi
from ops.programs import PROGRAMS

_OURS = {"kit", "contracts", "tenantdb", "services", "gateway"}
_DOCS = Path(__file__).parents[1] / "docs"
_PROBLEMS = Path(__file__).parents[1] / "gateway" / "problem_pages.json"
_OPENAPI = Path(__file__).parents[1] / "gateway" / "openapi.json"
_HEAD = """# Events
Generated from `contracts/events.py` by `make docs`; a test fails when this page is stale.

Every event is a notice: it says that something has happened, with ids, positions, times and enums
only. Who needs to know more asks the service that owns it. The envelope is CloudEvents 1.0
(structured mode, JSON); the routing key on the topic exchange `bulkhead` is the event's topic.
Losing a notice costs delay, never data: each consumer compares positions on a timer.

| topic | carries | means |
|---|---|---|
"""


def pages() -> dict[Path, str]:
    """Path and text of every generated page."""
    return {
        _DOCS / "events.md": _HEAD + "".join(_row(event) for event in EVENTS),
        _DOCS / "asyncapi.json": json.dumps(_asyncapi(), indent=1) + "\n",
        _OPENAPI: json.dumps(openapi.document(), indent=1) + "\n",
        _PROBLEMS: json.dumps(_problems(), indent=1) + "\n",
    }


def _row(event: type[Notice]) -> str:
    members = ", ".join(f"`{name}`" for name in event.model_fields)
    return f"| `{event.topic}` | {members} | {_meaning(event)} |\n"


def _meaning(event: type[Notice]) -> str:
    return (event.__doc__ or "").strip().splitlines()[0]


def _problems() -> dict[str, str]:
    """Slug -> status and explanation, of every problem that a service can answer with."""
    for program in PROGRAMS.values():
        import_module(f"{program.module}.app")
    return {
        slug: f"{kind.status} {kind.explanation()}\n"
        for slug, kind in problems.registry().items()
        if kind.__module__.split(".")[0] in _OURS
    }


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Bulkhead events", "version": "1.0.0"},
        "defaultContentType": "application/cloudevents+json",
        "channels": {event.topic: _channel(event) for event in EVENTS},
        "operations": {
            event.__name__: {"action": "send", "channel": {"$ref": f"#/channels/{event.topic}"}}
            for event in EVENTS
        },
    }


def _channel(event: type[Notice]) -> dict[str, Any]:
    message = {
        "summary": _meaning(event),
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "format": "uuid"},
                "source": {"type": "string"},
                "type": {"const": event.topic},
                "time": {"type": "string", "format": "date-time"},
                "data": event.model_json_schema(),
            },
        },
    }
    return {"address": event.topic, "messages": {event.__name__: message}}


def main() -> None:
    """Write every page that differs."""
    for path, text in pages().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
