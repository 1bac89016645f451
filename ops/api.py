"""A client of the public API, through the gateway like anybody's: for the command line and the
story. It logs in by itself, renews its token, and turns problems into one exception."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

_RENEW_BEFORE_S = 30


class ApiRefused(Exception):
    """The API answered with a problem; `status`, `slug` and `problem` say which."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, problem
        self.slug = str(problem.get("type", "")).rpartition("/")[2]
        detail = problem.get("detail") or problem.get("title") or "no problem document"
        errors = "; ".join(
            f"{one.get('pointer', '')}: {one.get('message', '')}"
            for one in problem.get("errors", [])[:5]
        )
        super().__init__(f"{status} {detail}" + (f" ({errors})" if errors else ""))


class GaveUp(Exception):
    """A condition did not come true before its deadline."""


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
    """One user's session. `source` is the local address to call from."""

    def __init__(
        self, url: str, ca: Path, login: Login | None = None, *, source: str | None = None
    ) -> None:
        self.login, self._token, self._expires_at = login, "", 0.0
        context = ssl.create_default_context(cafile=str(ca))
        transport = httpx2.AsyncHTTPTransport(verify=context, local_address=source)
        self._client = httpx2.AsyncClient(
            base_url=url, transport=transport, timeout=60.0, trust_env=False
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
        return await self._client.request(method, path, headers=known, **sent)

    async def accept(self, invitation: str) -> None:
        """Turn a one-time invitation into this login's account."""
        assert self.login is not None
        body = {"token": invitation, "password": self.login.password}
        path = f"{self.login.realm_path}/invitations/accept"
        decoded(await self._client.post(path, json=body))

    async def log_in(self) -> None:
        """A new session with e-mail and password."""
        assert self.login is not None
        body = {"email": self.login.email, "password": self.login.password}
        answer = decoded(await self._client.post(f"{self.login.realm_path}/login", json=body))
        self._token = answer["access_token"]
        self._expires_at = time.monotonic() + answer["expires_in"]

    async def _access_token(self) -> str:
        if time.monotonic() > self._expires_at - _RENEW_BEFORE_S:
            await self.log_in()
        return self._token


def decoded(answer: httpx2.Response) -> Any:
    """The JSON of a good answer; ApiRefused otherwise."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    body = answer.json() if answer.content and kind.endswith("json") else None
    if answer.is_success:
        return body
    raise ApiRefused(answer.status_code, body if isinstance(body, dict) else {})


async def until(
    what: str, condition: Callable[[], Awaitable[Any]], *, deadline_s: float = 60.0
) -> Any:
    """Ask until the answer is true; raises GaveUp with `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if found := await condition():
            return found
        await asyncio.sleep(0.1)
    raise GaveUp(f"{what}: not within {deadline_s:.0f} s")
