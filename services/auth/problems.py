"""The situations that only the auth service knows."""

from datetime import timedelta
from math import ceil

from kit.problems import Problem


class LoginFailed(Problem, status=401, slug="login-failed"):
    """Login failed

    The name or the password is wrong; which of the two is not told. After more than three faulty
    logins in a row the name is blocked for a while.
    """

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class LoginBlocked(Problem, status=429, slug="login-blocked"):
    """Too many faulty logins in a row

    Even the right password is not looked at before Retry-After has passed. An administrator may
    unlock the name; the operator finds "name locked" in auth's log, with the id of the user.
    """

    def __init__(self, wait: timedelta) -> None:
        super().__init__(headers={"Retry-After": str(max(1, ceil(wait.total_seconds())))})


class LoginBusy(Problem, status=503, slug="login-busy"):
    """Too many logins at this moment

    Passwords are checked slowly on purpose, and the queue of all tenants together is full or slow:
    try again in a second. The operator gives auth more cores where this lasts.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class TooManyLogins(Problem, status=429, slug="too-many-logins"):
    """Too many logins of one tenant, or from one address

    Passwords are checked slowly on purpose, and each tenant and each of its addresses has a queue
    of its own, which is full: the detail names which. Try again in a second.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class CallerGone(Problem, status=499, slug="caller-gone"):
    """The caller has gone

    The connection was closed before it was this request's turn, so nothing was done. Nobody reads
    this answer; it is counted as what it is.
    """


class SessionEnded(Problem, status=401, slug="session-ended"):
    """The session has ended

    The refresh token is unknown, expired, or was used before: log in again. A refresh token that
    was used twice ends its whole session, because one of the two users of it is a thief.
    """

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvitationNotValid(Problem, status=404, slug="invitation-not-valid"):
    """The invitation is not valid

    It was used, replaced by a newer one, has expired, or never existed: ask for another one.
    """


class UserExists(Problem, status=409, slug="user-exists"):
    """There is such a user already

    The address belongs to a user who has joined; that user needs no invitation.
    """


class TenantHasUsers(Problem, status=409, slug="tenant-has-users"):
    """The tenant invites its own users

    Operators invite the first users of a tenant only: once somebody has joined, its administrators
    decide who else comes in.
    """


class LastAdministrator(Problem, status=409, slug="last-administrator"):
    """The last administrator keeps its level

    Make another user administrator first; otherwise nobody could.
    """
