"""Runs `$batch`: in order, to the first error unless told to go on; change sets are atomic."""

import re
from dataclasses import replace

from sandbox.dataverse import faulty, multipart, refusals, web_api
from sandbox.dataverse.calls import Call, Reply, refusal_reply
from sandbox.dataverse.multipart import InnerRequest, Part
from sandbox.dataverse.organisation import Organisation
from sandbox.dataverse.refusals import Refusal

LIMIT = 1000
_REFERENCE = re.compile(r"(?:https://[^/]+)?(?:/api/data/v9\.\d/)?(\$\w+)")
_BOUND_REFERENCE = re.compile(rb'("[^"]*@odata\.(?:bind|id)"\s*:\s*)"(\$\w+)"')
Answer = tuple[str | None, Reply]
Item = InnerRequest | list[tuple[str | None, InnerRequest]]


def answer(call: Call, organisation: Organisation) -> Reply:
    """A multipart reply, or a JSON error if the batch as a whole is refused (nothing was run)."""
    try:
        items = [_read(part) for part in _parts(call.headers.get("content-type", ""), call.body)]
        _check_size(items)
    except Refusal as refusal:
        return refusal_reply(refusal)
    go_on = call.prefers("odata.continue-on-error")
    answers: list[Answer | list[Answer]] = []
    for item in items:
        done = _run(item, call, organisation)
        answers.append(done)
        failed = not isinstance(done, list) and done[1].status >= 400
        if failed and not go_on:
            break
    return _whole(answers, go_on=go_on)


def _whole(answers: list[Answer | list[Answer]], *, go_on: bool) -> Reply:
    content_type, body = multipart.write_replies(answers)
    last = answers[-1]
    failed = not go_on and not isinstance(last, list) and last[1].status >= 400
    status = last[1].status if failed and not isinstance(last, list) else 200
    return Reply(status, [("Content-Type", content_type), ("OData-Version", "4.0")], body)


def _parts(content_type: str, body: bytes) -> list[Part]:
    parts = multipart.read_parts(content_type, body)
    if not parts:
        raise refusals.batch_refused("The batch is empty.")
    return parts


def _read(part: Part) -> Item:
    if not part.is_multipart:
        return _allowed(multipart.read_request(part))
    inner = multipart.read_parts(part.headers["content-type"], part.content)
    found = []
    for member in inner:
        request = _allowed(multipart.read_request(member))
        if request.method == "GET":
            raise refusals.batch_refused("A change set must not contain a GET request.")
        found.append((member.headers.get("content-id"), request))
    return found


def _allowed(request: InnerRequest) -> InnerRequest:
    if request.url.split("?")[0].endswith("/$batch"):
        raise refusals.batch_refused("A batch must not contain another batch.")
    return request


def _check_size(items: list[Item]) -> None:
    count = sum(len(item) if isinstance(item, list) else 1 for item in items)
    if count > LIMIT:
        raise refusals.batch_refused(
            f"The batch contains {count} requests, the maximum is {LIMIT}."
        )


def _run(item: Item, call: Call, organisation: Organisation) -> Answer | list[Answer]:
    if not isinstance(item, list):
        if len(item.url) > organisation.switches.max_part_url_bytes:
            return None, refusal_reply(refusals.url_too_long(400))
        return None, _one(_inner_call(item, call), organisation)
    try:
        return _run_change_set(item, call, organisation)
    except _MemberFailed as failed:
        return failed.answer
    except Refusal as refusal:
        return None, refusal_reply(refusal)


def _run_change_set(
    members: list[tuple[str | None, InnerRequest]], call: Call, organisation: Organisation
) -> list[Answer]:
    """All members or none: the failure of one leaves the transaction as an exception."""
    answers: list[Answer] = []
    known: dict[str, str] = {}
    with organisation.rows.transaction():
        for content_id, request in members:
            inner = _inner_call(_resolved(request, known), call)
            reply = _one(inner, organisation)
            if reply.status >= 400:
                raise _MemberFailed((content_id, reply))
            if content_id and reply.location:
                known[f"${content_id}"] = reply.location
            answers.append((content_id, reply))
    return answers


def _one(call: Call, organisation: Organisation) -> Reply:
    fault = organisation.faults.take_for_part(f"{call.root}/{call.target}", call.body)
    return faulty.failure(fault) if fault else web_api.answer(call, organisation)


def _resolved(request: InnerRequest, known: dict[str, str]) -> InnerRequest:
    """`$1` in the URL or in a bind stands for the row that Content-ID 1 made, once it is made."""

    def look_up(reference: str) -> str:
        if reference not in known:
            raise refusals.content_id_unknown(reference)
        return known[reference]

    def bound(match: re.Match[bytes]) -> bytes:
        return match[1] + b'"' + look_up(match[2].decode()).encode() + b'"'

    url = request.url
    first = _REFERENCE.match(url)
    if first:
        url = look_up(first[1]) + url[first.end() :]
    return InnerRequest(
        request.method, url, request.headers, _BOUND_REFERENCE.sub(bound, request.body)
    )


def _inner_call(request: InnerRequest, call: Call) -> Call:
    target = request.url
    for prefix in (call.root, call.root[call.root.find("/api/") :]):
        target = target.removeprefix(prefix)
    return replace(
        call,
        method=request.method,
        target=target.lstrip("/"),
        headers=request.headers,
        body=request.body,
    )


class _MemberFailed(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
