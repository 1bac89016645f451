"""Why something does not work, in one sentence of a closed set: for readiness, logs and problems.

An exception's own text never leaves the process (it may carry addresses, names or values); what
an operator needs is which of a few things it was. Numbers come from PostgreSQL's appendix A and
from errno.h.
"""

import errno
from collections.abc import Iterator

import asyncpg

DISK_FULL = "the disk is full"
READ_ONLY = "the disk is read-only or closed to this program"
_STATES = {
    "28": "it refuses the login (password, role or pg_hba.conf)",
    "3D": "there is no such database",
    "53100": DISK_FULL,
    "53300": "it has no connection left",
    "53": "it is out of resources",
    "57P03": "it is starting up or shutting down",
    "57014": "it did not answer in time",
    "57": "it is shutting down",
    "25006": "it is read-only",
    "42501": "its role lacks a right",
    "08": "it does not answer",
}
_ERRNO = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.ENOENT: "a file or folder is missing",
    errno.EMFILE: "this program has too many files open",
    errno.ENFILE: "this machine has too many files open",
    errno.ECONNREFUSED: "nothing listens there",
}
UNKNOWN = "down"
DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
)
"""The database is away, out of resources, or has cancelled the statement at its time-out: asking
again may help. What SQLAlchemy wraps is none of these classes; see `is_database_away`."""
_AWAY_STATES = {"08", "53", "57"}


class NotReady(Exception):
    """Something is not as it must be; the text is ours, of a closed set, and may be shown."""


def cause_of(error: BaseException) -> str:
    """The sentence for an error; `down` where nothing more is known.

    Errors that wrap others (SQLAlchemy's, ExceptionGroups, `raise ... from`) are looked into.
    """
    return next((said for one in _chain(error) if (said := _say(one))), UNKNOWN)


def is_disk_full(error: BaseException) -> bool:
    """Whether this machine, or PostgreSQL's, has no room left."""
    return cause_of(error) == DISK_FULL


def is_database_away(error: BaseException) -> bool:
    """Whether it is one of DATABASE_AWAY, or made of one."""
    return any(
        isinstance(one, DATABASE_AWAY)
        or str(getattr(one, "sqlstate", None) or "")[:2] in _AWAY_STATES
        for one in _chain(error)
    )


def _say(error: BaseException) -> str | None:
    if isinstance(error, NotReady):
        return str(error)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _STATES.get(state) or _STATES.get(state[:2])
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.errno is not None:
        return _ERRNO.get(error.errno)
    if isinstance(error, ConnectionError | asyncpg.InterfaceError):
        return "it does not answer"
    return None


def _chain(error: BaseException | None, depth: int = 8) -> Iterator[BaseException]:
    """The error and what it was made of, from the outside in."""
    if error is None or depth == 0:
        return
    yield error
    yield from _chain(getattr(error, "orig", None), depth - 1)
    yield from _chain(error.__cause__, depth - 1)
    for member in getattr(error, "exceptions", ()):
        yield from _chain(member, depth - 1)
