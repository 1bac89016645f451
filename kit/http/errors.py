"""Every error leaves as a problem document; a caller's input is never echoed."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from kit import logs, problems
from kit.causes import DATABASE_AWAY, DISK_FULL, READ_ONLY, cause_of, is_database_away
from kit.problems import Problem

_log = logs.get(__name__)
_BY_STATUS: dict[int, type[Problem]] = {
    404: problems.NotFound,
    405: problems.MethodNotAllowed,
    413: problems.BodyTooLarge,
    415: problems.MediaTypeUnsupported,
}


def install(app: FastAPI) -> None:
    """Problems, validation and routing errors; kit.http.envelope has the unforeseen."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ConnectionError, _down)
    app.add_exception_handler(InterfaceError, _down)
    app.add_exception_handler(PoolTimeout, _down)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _down)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(OSError, _disk)


def render(problem: Problem) -> JSONResponse:
    """The problem as an HTTP response."""
    return JSONResponse(
        problem.body(),
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return render(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return render(problems.RequestInvalid.of(validation_errors(error.errors(), error.body)))


def validation_errors(errors: Sequence[Any], body: object = None) -> list[dict[str, str]]:
    """Pointer and message of the first pydantic errors, without their input."""
    return [
        {"pointer": _pointer(_place(one, body)), "message": _message(one)}
        for one in errors[: problems.MAX_FAULTS + 1]
    ]


def _place(error: Any, body: object) -> Sequence[str | int]:
    """Where it is in the body as it was sent: where a body may be of several forms, pydantic puts
    the name of the form in between."""
    where, *parts = error["loc"] or ("body",)
    place, here = [where], body if where == "body" else None
    for number, part in enumerate(parts, 1):
        is_missing = number == len(parts) and error["type"] == "missing"
        is_sent = not isinstance(here, dict) or part in here
        if is_sent or is_missing or str(part).startswith("["):  # [key]: of a member's name
            place.append(part)
            here = _inside(here, part)
    return place


def _inside(here: object, part: str | int) -> object:
    if isinstance(here, list) and isinstance(part, int):
        return here[part] if part < len(here) else None
    return here.get(part) if isinstance(here, dict) else None


def _pointer(place: Sequence[str | int]) -> str:
    """JSON pointer into the body; path, query and header parameters as `#path/name`."""
    where, *rest = place or ("body",)
    start = "" if where == "body" else f"#{where}"
    parts = [str(part).replace("~", "~0").replace("/", "~1")[:64] for part in rest]
    return start + "".join(f"/{part}" for part in parts)


def _message(error: Any) -> str:
    """pydantic's text for what was expected; texts that may carry input are replaced."""
    if error["type"] in {"value_error", "assertion_error"}:
        reason = error.get("ctx", {}).get("error")
        return getattr(reason, "public", None) or "is not valid"
    if error["type"] == "union_tag_invalid":
        return f"expected one of {error['ctx']['expected_tags']}"
    message: str = error["msg"]
    return message


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        kind = problems.BodyMalformed if error.status_code == 400 else problems.Internal
    response = render(kind())
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    if error.connection_invalidated or is_database_away(error):
        return await _down(request, error)
    raise error


async def _down(_request: Request, error: Exception) -> JSONResponse:
    """Which words are for the operator (log, /readyz); a full disk is a problem of its own, which
    waiting does not mend."""
    why = cause_of(error)
    _log.warning("dependency down", error=type(error).__name__, reason=why)
    return render(problems.DiskFull() if why == DISK_FULL else problems.DependencyDown())


async def _disk(request: Request, error: Exception) -> JSONResponse:
    if cause_of(error) in {DISK_FULL, READ_ONLY}:
        return await _down(request, error)
    raise error
