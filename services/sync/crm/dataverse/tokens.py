"""OAuth client credentials (RFC 6749 section 4.4): a token is held until shortly before its end."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import urlencode
from weakref import WeakValueDictionary

from contracts.ids import ConnectionId
from kit import clock, strict_json
from services.sync.connection import Connection
from services.sync.crm.dataverse.address import address_of
from services.sync.crm.dataverse.operations import TOKEN, Operation, documented
from services.sync.crm.dataverse.outcomes import retry_after
from services.sync.crm.outcome import Outcome, Verdict
from services.sync.egress import Reply

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]{1,16384}={0,2}")
_DIGITS = re.compile("[0-9]{1,9}")
_LONGEST_S = 24 * 3600
_AADSTS = re.compile(r"AADSTS(\d{4,8})")
_MARGIN_S, _MARGIN_PART = 120.0, 0.2
_USUAL_WAIT_S = 30.0
_REFUSALS = {
    "7000215": "the client secret is wrong",
    "7000222": "the client secret has expired",
    "700016": "the application is not known in this directory",
    "90002": "the directory is not known",
    "70011": "the environment is not known to the directory",
}

Send = Callable[[Operation, str, bytes], Awaitable[Reply]]


class SignInRefused(Exception):
    """No token; `outcome` says whether waiting can help."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True)
class _Held:
    secret: bytes
    token: str = field(repr=False)
    until: float


class Tokens:
    """The tokens of this process, one per connection; a new secret never meets an old token."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._held: dict[ConnectionId, _Held] = {}
        # Locks live as long as somebody asks, tokens until they end: neither outlives its use.
        self._asking: WeakValueDictionary[ConnectionId, asyncio.Lock] = WeakValueDictionary()
        self._monotonic = monotonic

    def __len__(self) -> int:
        return len(self._held)

    async def token(self, connection: Connection, secret: str, send: Send) -> str:
        """A token that lives, asked for once; raises TokenRefused and what `send` raises."""
        digest = blake2b(secret.encode()).digest()
        async with self._asking.setdefault(connection.id, asyncio.Lock()):
            held = self._held.get(connection.id)
            if held and held.secret == digest and self._monotonic() < held.until:
                return held.token
            asked = self._monotonic()
            token, lifetime_s = await _ask(connection, secret, send)
            margin_s = min(_MARGIN_S, lifetime_s * _MARGIN_PART)
            self._held = {one: held for one, held in self._held.items() if asked < held.until}
            self._held[connection.id] = _Held(digest, token, asked + lifetime_s - margin_s)
            return token

    def forget(self, connection: ConnectionId, token: str) -> None:
        """The CRM refused this token; one that was fetched meanwhile stays."""
        held = self._held.get(connection)
        if held is not None and held.token == token:
            del self._held[connection]


async def _ask(connection: Connection, secret: str, send: Send) -> tuple[str, int]:
    address = address_of(connection)
    form = {
        "grant_type": "client_credentials",
        "client_id": address.client_id,
        "client_secret": secret,
        "scope": f"https://{address.environment_host}/.default",
    }
    path = documented(TOKEN, f"/{address.directory_id}/oauth2/v2.0/token")
    reply = await send(TOKEN, path, urlencode(form).encode())
    if reply.status != 200:
        raise SignInRefused(_refusal(reply))
    return _read(reply.body)


def _read(body: bytes) -> tuple[str, int]:
    try:
        document = strict_json.loads(body)
    except ValueError:
        document = None
    found = document if isinstance(document, dict) else {}
    token, lifetime_s = found.get("access_token"), _lifetime_s(found.get("expires_in"))
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or lifetime_s <= 0:
        raise SignInRefused(Outcome(Verdict.BROKEN, "the authority's answer holds no token"))
    return token, lifetime_s


def _lifetime_s(value: object) -> int:
    """Whole seconds, a day at most: a number, or digits as older authorities write; else 0."""
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value) else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(value, _LONGEST_S))


def _refusal(reply: Reply) -> Outcome:
    wait_s = retry_after(reply.headers, clock.now())
    if reply.status == 429 or (reply.status >= 500 and wait_s is not None):
        reason = "the authority asks us to wait"
        return Outcome(Verdict.WAIT, reason, _USUAL_WAIT_S if wait_s is None else wait_s)
    if reply.status >= 500 or reply.status == 408:
        return Outcome(Verdict.BACK_OFF, f"the authority answered with status {reply.status}")
    found = _AADSTS.search(reply.body.decode("utf-8", "replace"))
    code = found[1] if found else ""
    known = _REFUSALS.get(code, "the authority refused the application's credentials")
    shown = f"AADSTS{code}" if code else f"status {reply.status}"
    return Outcome(Verdict.BROKEN, f"{known} ({shown})")
