"""One call to a peer service: signed, bounded in time, traced; its problems become ours."""

from typing import Any

import httpx2
from pydantic import BaseModel

from contracts.credentials import ServiceAuth
from contracts.problems import TenantBeingRestored, TenantNotUpgraded
from kit import telemetry
from kit.problems import Conflict, DependencyDown, NotFound, Problem
from kit.sealing import SigningKey

_TIMEOUT = httpx2.Timeout(10.0, connect=2.0)
_UNABLE = "a peer is not able to answer"
_LONGEST_WAIT = 5  # digits of Retry-After
_TOLD_ON = {f"/problems/{kind.slug}": kind for kind in (TenantBeingRestored, TenantNotUpgraded)}


class PeerRefused(Problem, status=502, slug="peer-refused"):
    """Another service refused an internal call

    The operator finds the reason in that service's log under the same trace.
    """


class Peer:
    """An HTTP client for one peer; close it with `aclose`."""

    def __init__(
        self,
        base_url: str,
        *,
        key: SigningKey,
        service: str,
        audience: str,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            auth=ServiceAuth(key, service, audience),
            timeout=_TIMEOUT,
            trust_env=False,
            transport=transport,
        )
        self._name = audience

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: BaseModel | dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The decoded answer (None for 204).

        Raises NotFound for 404, Conflict for 409, DependencyDown for an unreachable peer, 5xx and
        429 (as the kind of it that the peer told, and with its Retry-After), PeerRefused for any
        other refusal.
        """
        body = json.model_dump(mode="json") if isinstance(json, BaseModel) else json
        with telemetry.span(f"call {self._name}", "client", peer=self._name, method=method) as span:
            try:
                answer = await self._client.request(
                    method,
                    path,
                    json=body,
                    params=query,
                    headers={"traceparent": telemetry.trace_parent()},
                    timeout=timeout_s if timeout_s is not None else httpx2.USE_CLIENT_DEFAULT,
                )
            except httpx2.TransportError as error:
                raise DependencyDown(f"{type(error).__name__} in a call to a peer") from None
            span.note(status=answer.status_code)
            return _decoded(answer)

    async def aclose(self) -> None:
        await self._client.aclose()


def _decoded(answer: httpx2.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    if answer.status_code >= 500 or answer.status_code == 429:
        raise _unable(answer)
    detail = _detail(answer)
    match answer.status_code:
        case 404:
            raise NotFound(detail)
        case 409:
            raise Conflict(detail)
    raise PeerRefused(f"{answer.status_code} {detail}")


def _unable(answer: httpx2.Response) -> DependencyDown:
    """Why the peer cannot answer, as far as its own problem says so, and when to ask again."""
    kind = _TOLD_ON.get(str(_body(answer).get("type")), DependencyDown)
    problem = DependencyDown(_UNABLE) if kind is DependencyDown else kind()
    wait = answer.headers.get("retry-after", "")
    if wait.isascii() and wait.isdigit() and len(wait) <= _LONGEST_WAIT:
        problem.headers["Retry-After"] = wait
    return problem


def _detail(answer: httpx2.Response) -> str:
    body = _body(answer)
    return str(body.get("detail") or body.get("title", ""))


def _body(answer: httpx2.Response) -> dict[str, Any]:
    """The problem, or an empty one where the answer holds none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
