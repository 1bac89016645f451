"""Where what a request has made, or queued, can be found (RFC 9110 10.2.2)."""

from starlette.responses import Response


def created(response: Response, path: str) -> None:
    """Every 201 says it, and every 202 that has a place to look at again; a rule test looks."""
    response.headers["location"] = path
