"""RFC 9457 problems: every error a caller can see is one of these, under a slug of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

MAX_FAULTS = 20
"""A refusal names this many faults and says whether there are more."""

_registry: dict[str, type["Problem"]] = {}


class Problem(Exception):
    """A situation that the caller is told of; the first docstring line is its title.

    In workers a Problem means "will never succeed": the message is parked with the reason.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"

    def __init_subclass__(cls, *, status: int, slug: str) -> None:
        super().__init_subclass__()
        known = _registry.get(slug)
        if known is not None and _place(known) != _place(cls):
            raise TypeError(f"two problems claim the slug {slug!r}: {known} and {cls}")
        cls.status, cls.slug = status, slug
        _registry[slug] = cls

    def __init__(
        self,
        detail: str = "",
        *,
        pointer: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail or self.title())
        self.detail, self.pointer = detail, pointer
        self.headers, self.members = dict(headers or {}), members

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.slug).strip().splitlines()[0]

    @classmethod
    def explanation(cls) -> str:
        """The whole docstring: what the API user and the operator do about it."""
        return "\n".join(line.strip() for line in (cls.__doc__ or "").strip().splitlines())

    def body(self) -> dict[str, Any]:
        """The members of the problem document (RFC 9457 section 3)."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title(),
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.pointer is not None:
            document["pointer"] = self.pointer
        return document | self.members


def _place(kind: type[Problem]) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def registry() -> Mapping[str, type[Problem]]:
    """All problems that are known to this process, by slug."""
    return dict(sorted(_registry.items()))


class NotAuthenticated(Problem, status=401, slug="not-authenticated"):
    """Not authenticated

    The request carries no valid token. Log in, or refresh the session, and send it again.
    """

    def __init__(self, detail: str = "", **members: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, **members)


class NotPermitted(Problem, status=403, slug="not-permitted"):
    """Not permitted

    The token is valid, but its grants do not allow this operation. An administrator can change
    the user's level.
    """


class NotFound(Problem, status=404, slug="not-found"):
    """Not found

    There is no such thing here, or it belongs to somebody else: the two look the same on purpose.
    """


class MethodNotAllowed(Problem, status=405, slug="method-not-allowed"):
    """Method not allowed

    The address exists, but not with this method.
    """


class RequestTimedOut(Problem, status=408, slug="request-timed-out"):
    """The request took too long to arrive

    Send the body without long pauses.
    """


class Conflict(Problem, status=409, slug="conflict"):
    """Conflict with the present state

    Read the present state and decide again.
    """


class PreconditionFailed(Problem, status=412, slug="precondition-failed"):
    """The thing has changed in the meantime

    The entity tag in If-Match is not the present one: read again, apply the change, send it again.
    """


class BodyTooLarge(Problem, status=413, slug="body-too-large"):
    """The body is too large

    The detail names the limit of this route.
    """


class MediaTypeUnsupported(Problem, status=415, slug="media-type-unsupported"):
    """Media type not supported

    The detail names the media type that this route takes.
    """


class BodyMalformed(Problem, status=400, slug="body-malformed"):
    """The body is not well-formed

    It is not strict JSON in UTF-8 (no NaN, no duplicate keys, no lone surrogates, no NUL).
    """


class RequestInvalid(Problem, status=422, slug="request-invalid"):
    """The request is not valid

    `errors` lists places (JSON pointer) with what is expected there, twenty at most; `more` is true
    where others were left out. The input is never echoed.
    """

    @classmethod
    def of(cls, errors: Sequence[Mapping[str, Any]], detail: str = "", **members: Any) -> Self:
        """Names the first faults; whoever looks for them may stop after one more than these."""
        if len(errors) > MAX_FAULTS:
            members["more"] = True
        return cls(detail, errors=list(errors[:MAX_FAULTS]), **members)


class PreconditionMissing(Problem, status=428, slug="precondition-missing"):
    """If-Match is required

    Changes name the version they are based on: send the entity tag of your last read.
    """


class TooManyRequests(Problem, status=429, slug="too-many-requests"):
    """Too many requests

    Wait for the number of seconds in Retry-After.
    """

    def __init__(self, detail: str = "", *, retry_after_s: int = 1, **members: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)}, **members)


class Internal(Problem, status=500, slug="internal"):
    """Internal error

    It has been logged with the request id of the answer; nothing was half-written.
    """


class DiskFull(Problem, status=507, slug="disk-full"):
    """The disk is full

    A disk of the service or of its database has no room left: nothing was written, reading goes on.
    The operator makes room; the request can be sent again then.
    """


class DependencyDown(Problem, status=503, slug="dependency-down"):
    """A dependency is down

    Try again shortly. The operator sees which one at /readyz.
    """


class ServerBusy(Problem, status=503, slug="server-busy"):
    """The service is busy

    As many requests as it can take are under way. Wait for the number of seconds in Retry-After.
    """

    def __init__(self, detail: str = "", *, retry_after_s: int = 1, **members: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)}, **members)
