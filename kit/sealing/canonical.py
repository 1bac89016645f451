"""Canonical JSON: equal values give equal bytes, so what is signed or bound can be made again."""

import json

from pydantic import JsonValue


def canonical(value: JsonValue) -> bytes:
    """Sorted keys, no spaces, UTF-8; TypeError for floats, whose text is not unique."""
    _refuse_floats(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def _refuse_floats(value: JsonValue) -> None:
    if isinstance(value, float):
        raise TypeError("canonical JSON holds no floats")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_floats(item)
