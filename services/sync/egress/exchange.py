"""One request and its answer over a pool, within bounds; what goes wrong is told in our words.

httpcore's pool is used bare: there is no client around it that could follow a redirect, keep a
cookie, read a proxy from the environment or decode a body.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import httpcore2

from services.sync.egress import tls
from services.sync.egress.calls import Call, Reply
from services.sync.egress.limits import CallLimits
from services.sync.egress.metering import ALLOWANCE, Allowance
from services.sync.egress.pools import Pool
from services.sync.egress.refusals import (
    CallFailed,
    CertificateRefused,
    EgressError,
    ReplyRefused,
)
from services.sync.egress.urls import Destination

_PIECES_MOST = 16 * 1024  # 8 MiB in packets of an ordinary size


async def exchange(
    call: Call, goal: Destination, opened: AbstractAsyncContextManager[Pool], limits: CallLimits
) -> Reply:
    """The answer to the call; raises EgressError."""
    try:
        async with asyncio.timeout(limits.total_s), opened as pool:
            return await _stream(call, goal, pool, limits)
    except EgressError:
        raise
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout) as error:
        if reason := tls.refusal(error):
            raise CertificateRefused(reason) from None
        raise CallFailed("the host cannot be reached", sent=False) from None
    except (TimeoutError, httpcore2.TimeoutException):
        raise CallFailed("the host took too long to answer", sent=True) from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
        raise CallFailed("the connection broke before the answer ended", sent=True) from None


async def _stream(call: Call, goal: Destination, pool: Pool, limits: CallLimits) -> Reply:
    most = min(limits.body_bytes, call.reply_bytes or limits.body_bytes)
    allowance = Allowance(most)
    ALLOWANCE.set(allowance)
    async with pool.stream(
        call.method,
        httpcore2.URL(
            scheme=goal.scheme.encode(), host=goal.host.encode(), target=goal.path.encode()
        ),
        headers=list(_headers(call, goal).items()),
        content=call.body or None,
        extensions={"timeout": _timeouts(limits)},
    ) as response:
        allowance.allow_body()
        return await _read(response, most)


def _headers(call: Call, goal: Destination) -> Mapping[str, str]:
    headers = {**call.headers, "Host": goal.host, "Accept-Encoding": "identity"}
    if call.method != "GET":
        headers["Content-Length"] = str(len(call.body))
    return headers


def _timeouts(limits: CallLimits) -> Mapping[str, float]:
    return {
        "connect": limits.connect_s,
        "read": limits.read_s,
        "write": limits.write_s,
        "pool": limits.total_s,
    }


async def _read(response: httpcore2.Response, most: int) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    headers.pop("set-cookie", None)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ReplyRefused("the answer is compressed although that was not asked for")
    body, pieces = bytearray(), 0
    async for chunk in response.aiter_stream():
        body += chunk
        pieces += 1
        if len(body) > most:
            raise ReplyRefused("the answer is larger than allowed")
        if pieces > _PIECES_MOST:
            raise ReplyRefused("the answer comes in too many pieces")
    return Reply(response.status, headers, bytes(body))
