"""A client of the public API, through the gateway like anybody's: for the command line and the
story. It logs in by itself, renews its token, and turns problems into one exception."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import httpx2

from ops import bodies
from ops.answers import ApiRefused, Unreachable, decoded, why_not

_RENEW_BEFORE_S = 30
_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)


class GaveUp(Exception):
    """A condition did not come true before its deadline."""


class Keeper(Protocol):
    """Keeps one login's refresh token from one client to the next."""

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Nobody else exchanges the token within the block."""

    def load(self) -> str:
        """The token; empty where there is none."""

    def keep(self, refresh_token: str) -> None: ...

    def forget(self) -> None: ...


@dataclass(frozen=True)
class Login:
    """Who logs in: a user of `tenant`, or an operator where that is None."""

    email: str
    password: str
    tenant: str | None = None

    @property
    def realm_path(self) -> str:
        return f"/t/{self.tenant}/v1" if self.tenant else "/v1/operators"


class Api:
    """One user's session. `source` is the local address to call from.

    With a `keeper` the session goes on from call to call; without, each client logs in.
    """

    def __init__(
        self,
        url: str,
        ca: Path | ssl.SSLContext,
        login: Login | None = None,
        *,
        source: str | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.login, self._token, self._expires_at = login, "", 0.0
        self._keeper = keeper
        context = ssl.create_default_context(cafile=str(ca)) if isinstance(ca, Path) else ca
        transport = httpx2.AsyncHTTPTransport(verify=context, local_address=source)
        self._client = httpx2.AsyncClient(
            base_url=url, transport=transport, timeout=_TIMEOUT, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.call("POST", path, json=body)

    async def put(self, path: str, body: Any) -> Any:
        return await self.call("PUT", path, json=body)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The decoded answer, None where it is empty. Raises ApiRefused."""
        return decoded(
            await self.raw(method, path, params=query, json=json, content=content, headers=headers)
        )

    async def raw(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **sent: Any
    ) -> httpx2.Response:
        """The answer as it came, whatever its status."""
        known = dict(headers or {})
        if self.login is not None:
            known["authorization"] = f"Bearer {await self._access_token()}"
        return await self._send(method, path, headers=known, **sent)

    async def save(self, path: str, target: BinaryIO, query: Mapping[str, Any]) -> int:
        """Write an answer of any length as it comes; how many bytes. Raises ApiRefused."""
        headers = {"authorization": f"Bearer {await self._access_token()}"}
        size = 0
        try:
            async with self._client.stream("GET", path, params=query, headers=headers) as answer:
                if not answer.is_success:
                    await answer.aread()
                    decoded(answer)
                async for piece in answer.aiter_bytes():
                    size += target.write(piece)
        except httpx2.TransportError as error:
            raise Unreachable(why_not(error)) from error
        return size

    async def accept(self, invitation: str) -> None:
        """Turn a one-time invitation into this login's account."""
        assert self.login is not None
        body = bodies.acceptance(invitation, self.login.password)
        path = f"{self.login.realm_path}/invitations/accept"
        decoded(await self._send("POST", path, json=body))

    async def log_in(self) -> None:
        """A new session with e-mail and password."""
        self._use(await self._logged_in())

    async def log_out(self) -> bool:
        """End the kept session, on the server too; False where there was none."""
        assert self._keeper is not None
        async with self._keeper.alone():
            carried_on = await self._carried_on(self._keeper.load())
            if carried_on is not None:
                self._keeper.keep(self._use(carried_on))
                headers = {"authorization": f"Bearer {self._token}"}
                decoded(await self._send("POST", "/v1/logout", headers=headers))
            self._keeper.forget()
        return carried_on is not None

    async def _access_token(self) -> str:
        if time.monotonic() > self._expires_at - _RENEW_BEFORE_S:
            await (self.log_in() if self._keeper is None else self._go_on(self._keeper))
        return self._token

    async def _go_on(self, keeper: Keeper) -> None:
        async with keeper.alone():
            answer = await self._carried_on(keeper.load()) or await self._logged_in()
            keeper.keep(self._use(answer))

    async def _carried_on(self, refresh_token: str) -> Any:
        """The tokens of a session that goes on; None where there is none, or it has ended."""
        assert self.login is not None
        path, body = f"{self.login.realm_path}/sessions/refresh", bodies.refresh(refresh_token)
        try:
            return decoded(await self._send("POST", path, json=body)) if refresh_token else None
        except ApiRefused as refused:
            if refused.status == 429 or refused.status >= 500:
                raise  # says nothing of the session
            return None

    async def _logged_in(self) -> Any:
        assert self.login is not None
        body = bodies.login(self.login.email, self.login.password)
        return decoded(await self._send("POST", f"{self.login.realm_path}/login", json=body))

    def _use(self, tokens: Any) -> str:
        """Call with these from now on; returns the refresh token."""
        self._token = tokens["access_token"]
        self._expires_at = time.monotonic() + tokens["expires_in"]
        return str(tokens["refresh_token"])

    async def _send(self, method: str, path: str, **sent: Any) -> httpx2.Response:
        try:
            return await self._client.request(method, path, **sent)
        except httpx2.TransportError as error:
            raise Unreachable(why_not(error)) from error


async def until(
    what: str,
    condition: Callable[[], Awaitable[Any]],
    *,
    deadline_s: float = 60.0,
    pause_s: float = 0.1,
) -> Any:
    """Ask until the answer is true; raises GaveUp with `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if found := await condition():
            return found
        await asyncio.sleep(pause_s)
    raise GaveUp(f"{what}: not within {deadline_s:.0f} s")
