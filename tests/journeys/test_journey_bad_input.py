"""Whatever a body holds: a 4xx problem that names the place, no echo, no 500, nothing written."""

import json

import pytest

from ops.story.opening import sign_up
from tests.journeys.operations import Caller, operations

CANARY = "canary-hunter2-canary"
DEEP = b"[" * 200 + b"]" * 200

MEMBERS = """client_secret email fields ids level module name password purpose ranges
refresh_token restore backup tenant token""".split()
JSON_BODIES = {
    "nothing": b"",
    "cut off": b'{"name": "' + CANARY.encode(),
    "NaN": b'{"name": NaN}',
    "infinite": b'{"name": -Infinity}',
    "overflow": b'{"name": 1e400}',
    "huge integer": b'{"name": ' + b"9" * 6000 + b"}",
    "NUL": b'{"name": "a\\u0000"}',
    "raw NUL": b'{"name": "a\x00"}',
    "lone surrogate": b'{"name": "\\udc00"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "byte order mark": b'\xef\xbb\xbf{"name": 1}',
    "same key twice": b'{"name": "a", "name": "b"}',
    "too deep": DEEP,
    "two megabytes": b'{"name": "' + b"x" * 2_000_000 + b'"}',
    "unknown member": json.dumps({"surprise": CANARY}).encode(),
    "wrong types": json.dumps({name: {"nested": [CANARY]} for name in MEMBERS}).encode(),
    "a list": b"[]",
    "a text": f'"{CANARY}"'.encode(),
    "null": b"null",
}
NDJSON_BODIES = {
    "nothing": b"",
    "cut off": b'{"key": "k1", "fields": {"name": "n"}}\n{"key": "k2", ',
    "duplicate keys": b'{"key": "k1", "key": "k2", "fields": {"name": "n"}}\n',
    "the same row twice": b'{"key": "k1", "fields": {"name": "n"}}\n' * 2,
    "unknown field": b'{"key": "k1", "fields": {"name": "n", "nonsense": 1}}\n',
    "unknown member": b'{"key": "k1", "fields": {"name": "n"}, "surprise": 1}\n',
    "wrong type": f'{{"key": "k1", "fields": {{"name": ["{CANARY}"]}}}}\n'.encode(),
    "no object": b"[]\n",
    "NaN": b'{"key": "k1", "fields": {"name": NaN}}\n',
    "NUL": b'{"key": "k1", "fields": {"name": "a\\u0000"}}\n',
    "lone surrogate": b'{"key": "k1", "fields": {"name": "\\ud834"}}\n',
    "bad date": b'{"key": "k1", "fields": {"name": "n", "date_added": "1957-02-30"}}\n',
    "a card number": b'{"key": "k1", "fields": {"name": "4111 1111 1111 1111"}}\n',
    "good rows before a bad one": b'{"key": "g1", "fields": {"name": "n"}}\n{"key": 7}\n',
}
CSV_BODIES = {
    "nothing": b"",
    "unknown column": b"symbol,name,nonsense\nX1,n,1\n",
    "column twice": b"symbol,name,name\nX1,n,n\n",
    "row too short": b"symbol,name\nX1\n",
    "row too long": b"symbol,name\nX1,n,more\n",
    "not UTF-8": b"symbol,name\nX1,\xe9\n",
    "UTF-16": "symbol,name\nX1,n\n".encode("utf-16"),
    "quote left open": b'symbol,name\nX1,"n\nX2,m\n',
    "NUL": b"symbol,name\nX1,a\x00\n",
    "bad date": b"symbol,name,date_added\nX1,n,yesterday\n",
    "missing required": b"symbol,name\nX1,\n",
    "key twice": b"symbol,name\nX1,n\nX1,m\n",
    "good rows before a bad one": b'symbol,name\nG1,"quoted\nnewline"\nX1\n',
}
BODIES = {
    "application/json": JSON_BODIES,
    "application/x-ndjson": NDJSON_BODIES,
    "text/csv": CSV_BODIES,
}


@pytest.fixture(scope="module")
async def victim(stage):
    return await sign_up(stage, "bad-input", "Bad input")


async def test_every_bad_body_on_every_route_is_a_problem_and_changes_nothing(suite, stage, victim):
    before = await victim.fingerprint()
    caller, failures, tried = Caller(suite, stage, victim), list[str](), set[str]()
    taking = [one for one in await operations(suite) if one.media]
    for operation in taking:
        for media in operation.media:
            for name, body in BODIES[media].items():
                answer = await caller.send(operation, body, media)
                tried.add(media)
                if verdict := fault(answer):
                    failures.append(f"{operation} <- {name}: {verdict}")
    assert not failures, "\n".join(failures)
    assert tried == set(BODIES)
    assert len(taking) > 15
    assert await victim.fingerprint() == before


def fault(answer) -> str:
    """What is wrong with the answer to a bad body; empty when it is right."""
    kind = answer.headers.get("content-type", "")
    if not 400 <= answer.status_code < 500:
        return f"answered {answer.status_code}: {answer.text[:200]}"
    if answer.status_code in {401, 403}:
        return f"was not let in: {answer.text[:200]}"
    if not kind.startswith("application/problem+json"):
        return f"is no problem document but {kind}: {answer.text[:100]}"
    if CANARY in answer.text:
        return "echoes what was sent"
    return ""
