"""The server's front: records each request first, then authenticates, throttles and answers it."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, replace
from functools import partial

from starlette.types import Receive, Scope, Send

from sandbox.dataverse import batch, faulty, refusals, web_api
from sandbox.dataverse.calls import Call, Reply, refusal_reply
from sandbox.dataverse.control import create_control
from sandbox.dataverse.counting import answered
from sandbox.dataverse.refusals import Refusal
from sandbox.dataverse.simulation import Simulation
from sandbox.dataverse.users import check_user, user_id

_DATA = re.compile(r"(/api/data/v9\.[0-2])/(.*)", re.DOTALL)
_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_AFFINITY = re.compile(r"\bARRAffinity=server-(\d+)\b")


@dataclass(frozen=True)
class Received:
    """A whole request as it came over the wire; `target` is still percent-encoded."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


class SimulatorApp:
    """The ASGI application; one of these may stand behind several listeners."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._control = create_control(simulation)
        self._next_server = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/_sandbox/"):
            await self._control(scope, receive, send)
            return
        request = await _received(scope, receive)
        recorder = self._simulation.recorder
        number = recorder.record(
            scope["server"][1], request.method, request.target, request.headers, request.body
        )
        sums = self._simulation.counters.begin(request.method, request.target, request.body)
        fault = self._simulation.organisation.faults.take_for_request(request.target, request.body)
        if fault and fault.kind == "hang":
            await faulty.hang(receive)
            return
        if fault and fault.kind == "apply_late":
            self._simulation.late.append(partial(self._answer, request))
            await faulty.lose(Reply(204), scope, receive, send, half=False)
            return
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        injected = fault if fault and fault.kind == "status" else None
        reply = faulty.failure(injected) if injected else await self._answer(request)
        self._simulation.organisation.rows.flush()
        if fault and fault.kind in ("lost_reply", "half_reply"):
            await faulty.lose(reply, scope, receive, send, half=fault.kind == "half_reply")
            return
        recorder.record_reply(number, reply.status)
        answered(sums, reply.status, reply.body)
        if fault and fault.kind == "drip":
            await faulty.drip(reply, receive, send, fault.seconds)
        else:
            await faulty.send(reply, send)

    async def _answer(self, request: Received) -> Reply:
        path = request.target.partition("?")[0]
        token = _TOKEN.fullmatch(path)
        if token and request.method == "POST":
            return self._simulation.tokens.answer(
                token[1],
                request.header("content-type"),
                request.body,
                self._simulation.organisation.switches.token_lifetime_s,
                time.time(),
            )
        data = _DATA.fullmatch(request.target)
        if data is None:
            return Reply(404, [("Content-Type", "text/html")], b"<html><body>404</body></html>")
        root = f"https://{request.header('host')}{data[1]}"
        call = Call(request.method, data[2], dict(request.headers), request.body, root)
        return await self._data(call)

    async def _data(self, call: Call) -> Reply:
        throttle, server = self._simulation.throttle, self._server(call)
        try:
            user = self._simulation.tokens.check(call.headers.get("authorization", ""), time.time())
            started = time.monotonic()
            throttle.enter(user, server, started)
        except Refusal as refusal:
            return self._dressed(refusal_reply(refusal), server)
        try:
            reply = await self._worked(replace(call, user=user_id(user)))
        finally:
            throttle.leave(user, server, started, time.monotonic())
        left, left_ms = throttle.remaining(user, server)
        reply.headers += [
            ("x-ms-ratelimit-burst-remaining-xrm-requests", str(left)),
            ("x-ms-ratelimit-time-remaining-xrm-requests", str(left_ms)),
        ]
        return self._dressed(reply, server)

    async def _worked(self, call: Call) -> Reply:
        switches = self._simulation.organisation.switches
        if switches.latency_s:
            await asyncio.sleep(switches.latency_s)
        if len(call.body) > switches.max_body_bytes:
            return refusal_reply(refusals.too_large())
        if len(call.target) > switches.max_url_bytes:
            return refusal_reply(refusals.url_too_long(414))
        if call.path == "$batch" and call.method == "POST":
            return self._batch(call)
        return web_api.answer(call, self._simulation.organisation)

    def _batch(self, call: Call) -> Reply:
        """A user who may not work here is refused at the door, or (a switch) in each part."""
        organisation = self._simulation.organisation
        if organisation.switches.user_refused_in == "request":
            try:
                check_user(organisation.switches, call.user)
            except Refusal as refusal:
                return refusal_reply(refusal)
        return batch.answer(call, organisation)

    def _server(self, call: Call) -> int:
        """The affinity cookie keeps a client on one server; without it servers take turns."""
        servers = self._simulation.throttle.limits.servers
        cookie = _AFFINITY.search(call.headers.get("cookie", ""))
        if cookie and int(cookie[1]) < servers:
            return int(cookie[1])
        self._next_server = (self._next_server + 1) % servers
        return self._next_server

    def _dressed(self, reply: Reply, server: int) -> Reply:
        """The headers that every reply of the data plane carries."""
        reply.headers += [
            ("x-ms-service-request-id", str(uuid.uuid4())),
            ("x-ms-dop-hint", str(self._simulation.organisation.switches.dop_hint)),
            ("Set-Cookie", f"ARRAffinity=server-{server}; Path=/; HttpOnly; Secure"),
        ]
        return reply


async def _received(scope: Scope, receive: Receive) -> Received:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    headers = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in scope["headers"]]
    return Received(scope["method"], target, headers, bytes(body))
