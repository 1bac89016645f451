"""What happened to accounts, one log line and one count each (ASVS 5.0 16.3.1): events and reasons
are closed sets; a user is an id, an address a truncated one; never a name, a password or a token.
"""

from enum import StrEnum

from prometheus_client import Counter

from contracts.caller import Caller, truncated
from contracts.ids import SessionId, TenantId, UserId
from kit import logs

_EVENTS = Counter("bulkhead_account_events", "What is logged of accounts.", ["event", "reason"])
_log = logs.get(__name__)


class Event(StrEnum):
    LOGGED_IN = "logged in"
    LOGIN_FAILED = "login failed"
    LOGIN_BLOCKED = "login blocked"
    TURNED_AWAY = "turned away unheard"
    LOCKED = "name locked"
    UNLOCKED = "name unlocked"
    REFRESHED = "session refreshed"
    REFRESH_FAILED = "refresh failed"
    REVOKED = "session revoked"
    INVITED = "user invited"
    ACCEPTED = "invitation accepted"
    NOT_ACCEPTED = "invitation not accepted"
    LEVEL_CHANGED = "level changed"


class LoginReason(StrEnum):
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - no password, the word for a wrong one
    UNKNOWN_NAME = "unknown-name"
    NOT_JOINED = "not-joined"
    LOCKED = "locked"
    TENANT_NOT_ACTIVE = "tenant-not-active"
    UNKNOWN_TOKEN = "unknown-token"  # noqa: S105
    ENDED = "ended"
    REUSED = "reused"
    LOGGED_OUT = "logged-out"
    NOT_VALID = "not-valid"
    WEAK_PASSWORD = "weak-password"  # noqa: S105
    QUEUE_FULL_ALL = "queue-full-all"
    QUEUE_FULL_TENANT = "queue-full-tenant"
    QUEUE_FULL_ADDRESS = "queue-full-address"
    WAITED_TOO_LONG = "waited-too-long"
    CALLER_GONE = "caller-gone"


def write(
    event: Event,
    caller: Caller,
    tenant: TenantId | None,
    user: UserId | None = None,
    *,
    reason: LoginReason | None = None,
    session: SessionId | None = None,
    actor: UserId | None = None,
    level: int | None = None,
) -> None:
    """`tenant` None is the operators' realm; `user` None is nobody known; `actor` did it to them.

    Written after the commit: a line says what is so.
    """
    _EVENTS.labels(event.value, reason.value if reason else "").inc()
    _log.info(
        event.value,
        address=truncated(caller.address),
        tenant=tenant and str(tenant),
        user=user and str(user),
        reason=reason and reason.value,
        session=session and str(session),
        actor=actor and str(actor),
        access_level=level,
    )
