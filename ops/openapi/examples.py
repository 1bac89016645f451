"""Examples of requests and answers: recorded where a test plays them against the whole suite.

`examples.json` maps each operation to what was sent and answered, with ids, times and secrets in
words of the documentation. tests/journeys/test_journey_api_examples.py plays them and compares.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "examples.json"


def put_into(operation: dict[str, Any]) -> None:
    """Give parameters, body and answer of an operation their examples, where there are any."""
    played = _played().get(operation["operationId"], {})
    for parameter in operation.get("parameters", []):
        if parameter["name"] in played.get("parameters", {}):
            parameter["example"] = played["parameters"][parameter["name"]]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "request" in played:
            content["example"] = played["request"]
    if "answer" in played:
        answered = operation["responses"][played["status"]]["content"]
        answered["application/json"]["example"] = played["answer"]
    for media, text in played.get("files", {}).items():
        operation["responses"][played["status"]]["content"][media]["example"] = text


@cache
def _played() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    return found
