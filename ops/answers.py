"""What comes back from the API, and the exceptions that say what came instead.

ApiRefused            a problem
ApiUnusable
├── Unreachable       no connection, no trust, or no answer
└── AnswerForeign     an answer that is not this API's
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2


class ApiRefused(Exception):
    """The API answered with a problem; `status`, `slug` and `problem` say which."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, problem
        self.slug = str(problem.get("type", "")).rpartition("/")[2]
        detail = problem.get("detail") or problem.get("title") or "no problem document"
        super().__init__(f"{status} {detail}" + _faults(problem.get("errors")))


def _faults(errors: object) -> str:
    """The first of what a 422 found; nothing is taken for granted in what a server sends."""
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    told = "; ".join(f"{one.get('pointer', '')}: {one.get('message', '')}" for one in found[:5])
    return f" ({told})" if told else ""


class ApiUnusable(Exception):
    """There is no API at that address, or none that can be trusted; the text says why."""


class Unreachable(ApiUnusable):
    """No connection, no trust, or no answer."""


class AnswerForeign(ApiUnusable):
    """Something answered that is not this API."""


def decoded(answer: httpx2.Response) -> Any:
    """The JSON of a good answer; ApiRefused otherwise."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    try:
        body = answer.json() if answer.content and kind.endswith("json") else None
    except (ValueError, RecursionError):
        raise AnswerForeign(f"{answer.status_code} with a body that is not JSON") from None
    if not answer.is_success:
        raise ApiRefused(answer.status_code, body if isinstance(body, dict) else {})
    if body is None and answer.content:
        raise AnswerForeign(f"{answer.status_code} with a body of the type {kind or 'unknown'}")
    return body


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not one that the authority vouches for"),
    (ssl.SSLError, "it does not speak TLS as it should"),
    (socket.gaierror, "the name is not known"),
    (ConnectionRefusedError, "nobody listens there"),
    (httpx2.TimeoutException, "no answer in time"),
)


def why_not(error: BaseException) -> str:
    """The first known reason in what led to the error."""
    known, at = "the connection broke", error.__cause__ or error.__context__
    chain = [error]
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    for kind, words in _REASONS:
        if any(isinstance(one, kind) for one in chain):
            return words
    return known
