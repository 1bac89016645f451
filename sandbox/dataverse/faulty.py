"""Replies that no healthy Web API would give: built from a fault, sent late, slowly or by half."""

import asyncio
import json

from starlette.types import Receive, Scope, Send

from sandbox.dataverse.calls import Reply, json_reply
from sandbox.dataverse.faults import Fault
from sandbox.dataverse.listening import close_connection


def failure(fault: Fault) -> Reply:
    """The reply of a `status` or `part` fault; only "json" is the error that a CRM would send."""
    status = fault.status or 503
    match fault.body:
        case "json":
            reply = json_reply({"error": {"code": fault.code, "message": fault.message}}, status)
        case "entra":
            reply = _entra(fault, status)
        case "foreign":
            body = json.dumps({"message": fault.message or "Service unavailable"})
            reply = Reply(status, [("Content-Type", "application/json")], body.encode())
        case "text":
            reply = Reply(status, [("Content-Type", "text/plain")], fault.message.encode())
        case "empty":
            reply = Reply(status)
        case _:
            page = f"<!DOCTYPE html><html><body><h1>{status}</h1>{fault.message}</body></html>"
            reply = Reply(status, [("Content-Type", "text/html")], page.encode())
    wait = fault.retry_after if fault.retry_after is not None else fault.retry_after_s
    if wait is not None:
        reply.headers.append(("Retry-After", str(wait)))
    return reply


def _entra(fault: Fault, status: int) -> Reply:
    """An error of the token endpoint: `code` is its AADSTS number, with or without the word."""
    number = int(fault.code.removeprefix("AADSTS") or 90033)
    text = fault.message or "A transient error has occurred. Please try again."
    body = {
        "error": "temporarily_unavailable" if number == 90033 else "invalid_request",
        "error_description": f"AADSTS{number}: {text}",
        "error_codes": [number],
    }
    return Reply(status, [("Content-Type", "application/json")], json.dumps(body).encode())


async def send(reply: Reply, send: Send) -> None:
    await _start(reply, send)
    await send({"type": "http.response.body", "body": reply.body})


async def drip(reply: Reply, receive: Receive, send: Send, seconds: float) -> None:
    """One byte at a time, until all is there or the client has gone."""
    await _start(reply, send)
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        for at in range(len(reply.body)):
            chunk = reply.body[at : at + 1]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if (await asyncio.wait([gone], timeout=seconds))[0]:
                return
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def hang(receive: Receive) -> None:
    """No answer, for as long as the client waits."""
    await _disconnect(receive)


async def lose(reply: Reply, scope: Scope, receive: Receive, send: Send, *, half: bool) -> None:
    """The work is done, but the connection ends before the client has the reply."""
    if half:
        body = reply.body or b" " * 64
        headers = [(b"content-length", str(len(body)).encode())]
        status = 200 if reply.status == 204 else reply.status
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
    close_connection(scope, abort=not half)
    await _disconnect(receive)


async def _start(reply: Reply, send: Send) -> None:
    headers = [(n.encode("latin-1"), v.encode()) for n, v in reply.headers]
    if reply.status not in (204, 304):
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
