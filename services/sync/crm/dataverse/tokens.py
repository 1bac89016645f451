"""OAuth client credentials (RFC 6749 section 4.4): a token is held until shortly before its end.

Of a connection's credentials the one in use is shown first; where it is refused, the others. What
was refused is never shown again in the same sign-in, and a connection is broken only when all that
are present at the end of it were refused. A token that the CRM refuses is given up, and asked for
anew, in environment.py.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode
from uuid import UUID
from weakref import WeakValueDictionary

from contracts.ids import ConnectionId
from kit import clock
from services.sync.connection import Connection, CrmAddress
from services.sync.credential import Credential, Credentials
from services.sync.crm.dataverse import sign_in
from services.sync.crm.dataverse.address import address_of
from services.sync.crm.dataverse.assertion import TYPE, assertion
from services.sync.crm.dataverse.operations import TOKEN, Operation, documented
from services.sync.crm.dataverse.sign_in import SignInRefused
from services.sync.crm.verdict import Meaning, Verdict
from services.sync.egress import Reply

_MARGIN_S, _MARGIN_PART = 120.0, 0.2
_MOST_TRIES = 6  # twice as many as there are slots
_UNSETTLED = Verdict(Meaning.BACK_OFF, "the credentials are changed faster than they can be tried")

Send = Callable[[Operation, str, bytes], Awaitable[Reply]]


@dataclass(frozen=True)
class _Held:
    place: CrmAddress
    credential: UUID
    token: str = field(repr=False)
    until: float


class Tokens:
    """The tokens of this process, one per connection; a new credential never meets an old token."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._held: dict[ConnectionId, _Held] = {}
        # Locks live as long as somebody asks, tokens until they end: neither outlives its use.
        self._asking: WeakValueDictionary[ConnectionId, asyncio.Lock] = WeakValueDictionary()
        self._monotonic = monotonic

    def __len__(self) -> int:
        return len(self._held)

    async def token(self, connection: Connection, credentials: Credentials, send: Send) -> str:
        """A token that lives, asked for once; raises SignInRefused and what `send` raises."""
        async with self._asking.setdefault(connection.id, asyncio.Lock()):
            held = self._held.get(connection.id)
            in_use = (connection.address, (await credentials.present())[0].id)
            if held and (held.place, held.credential) == in_use and self._monotonic() < held.until:
                return held.token
            fresh = await self._sign_in(connection, credentials, send)
            now = self._monotonic()
            self._held = {one: held for one, held in self._held.items() if now < held.until}
            self._held[connection.id] = fresh
            return fresh.token

    def forget(self, connection: ConnectionId, token: str) -> None:
        """The CRM refused this token; one that was fetched meanwhile stays."""
        held = self._held.get(connection)
        if held is not None and held.token == token:
            del self._held[connection]

    def lives(self, connection: ConnectionId, token: str) -> bool:
        """Whether it is held, and not near its end."""
        held = self._held.get(connection)
        return held is not None and held.token == token and self._monotonic() < held.until

    async def _sign_in(self, connection: Connection, credentials: Credentials, send: Send) -> _Held:
        """With the first credential that is let in; broken only after all others and new ones."""
        refused: dict[UUID, Verdict] = {}
        for _ in range(_MOST_TRIES):
            one = await _untried(credentials, refused)
            if one is None:
                raise SignInRefused(_of_all(refused))
            asked = self._monotonic()
            try:
                token, lifetime_s = await _ask(connection, one, send)
            except SignInRefused as refusal:
                if refusal.verdict.meaning is not Meaning.BROKEN:
                    raise
                await credentials.note_refused(one, refusal.verdict.reason)
                refused[one.id] = refusal.verdict
            else:
                await credentials.note_accepted(one)
                margin_s = min(_MARGIN_S, lifetime_s * _MARGIN_PART)
                return _Held(connection.address, one.id, token, asked + lifetime_s - margin_s)
        raise SignInRefused(_UNSETTLED)


async def _untried(credentials: Credentials, refused: Mapping[UUID, Verdict]) -> Credential | None:
    """Once all that were known are refused, what has been put there meanwhile."""
    for present in (credentials.present, credentials.look_again):
        for one in await present():
            if one.id not in refused:
                return one
    return None


def _of_all(refused: Mapping[UUID, Verdict]) -> Verdict:
    """What the one in use was told, which came first."""
    first = next(iter(refused.values()))
    return replace(first, tried=frozenset(refused))


async def _ask(connection: Connection, one: Credential, send: Send) -> tuple[str, int]:
    address = address_of(connection)
    path = documented(TOKEN, f"/{address.directory_id}/oauth2/v2.0/token")
    form = {
        "grant_type": "client_credentials",
        "client_id": address.client_id,
        **_proof(one, audience=f"{address.authority_url}{path}", client=address.client_id),
        "scope": f"https://{address.environment_host}/.default",
    }
    return sign_in.read(await send(TOKEN, path, urlencode(form).encode()), clock.now())


def _proof(one: Credential, *, audience: str, client: str) -> dict[str, str]:
    if one.kind == "secret":
        return {"client_secret": one.secret}
    statement = assertion(one, audience=audience, client=client, now=clock.now())
    return {"client_assertion_type": TYPE, "client_assertion": statement}
