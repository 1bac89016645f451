"""Bounds of one call: what is sent at all, how long it lasts, how much an answer may weigh."""

import asyncio

import httpcore2
import pytest

from contracts.ids import TenantId, new_id
from sandbox.certificates import Authority
from services.sync.egress import (
    AddressRefused,
    CallFailed,
    CallLimits,
    Egress,
    InjectedName,
    Reply,
    ReplyRefused,
)
from tests.services.sync.recording import (
    ProvedNetwork,
    ProvedStream,
    RecordingDialler,
    RecordingLedger,
    RecordingResolver,
    call,
)

HOST = "crm.example.com"
LIMITS = CallLimits(body_bytes=1000)


async def fetch(
    answer: bytes, limits: CallLimits = LIMITS, reply_bytes: int | None = None
) -> Reply:
    pieces = [answer[start : start + 65536] for start in range(0, len(answer), 65536)]
    network = ProvedNetwork(pieces)
    guard = Egress(resolver=RecordingResolver(), dialler=network, limits=limits)
    wanted = call(f"https://{HOST}/", HOST, reply_bytes=reply_bytes)
    return await guard.send(wanted, RecordingLedger())


def sized(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


@pytest.mark.parametrize(
    "method", ["DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", ""]
)
async def test_only_the_methods_of_the_allowlist_are_sent(method: str) -> None:
    resolver, dialler, ledger = RecordingResolver(), RecordingDialler(), RecordingLedger()
    guard = Egress(resolver=resolver, dialler=dialler)
    with pytest.raises(AddressRefused, match="this method is never sent"):
        await guard.send(call(f"https://{HOST}/", HOST, method=method), ledger)
    assert (resolver.asked, dialler.dialled, ledger.lines) == ([], [], [])


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_the_methods_that_the_engine_needs_are_sent(method: str) -> None:
    dialler = RecordingDialler()
    guard = Egress(resolver=RecordingResolver(), dialler=dialler)
    with pytest.raises(CallFailed):
        await guard.send(call(f"https://{HOST}/", HOST, method=method), RecordingLedger())
    assert dialler.dialled


async def test_an_answer_that_trickles_for_ever_is_given_up() -> None:
    """Each byte comes well within the time for a read; only the whole has an end."""
    authority = Authority.new()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    context = authority.issue(HOST).server_context()
    server = await asyncio.start_server(trickle, "127.0.0.1", 0, ssl=context)
    name = InjectedName(
        HOST, "127.0.0.1", server.sockets[0].getsockname()[1], authority.certificate.decode()
    )
    limits, ledger = CallLimits(read_s=5.0, total_s=1.0), RecordingLedger()
    guard = Egress.injecting(name, limits=limits)
    async with server:
        sending = guard.send(call(f"https://{HOST}/", HOST), ledger)
        with pytest.raises(CallFailed, match="took too long") as failed:
            await asyncio.wait_for(sending, 10)
        await guard.close()
    assert failed.value.sent
    assert ledger.ends[0]["error"] == "the host took too long to answer"


async def test_a_call_that_is_cancelled_says_so_in_the_ledger() -> None:
    resolver, ledger = RecordingResolver(), RecordingLedger()
    asked = asyncio.Event()

    class Hanging(RecordingDialler):
        async def connect_tcp(self, *_: object, **__: object) -> httpcore2.AsyncNetworkStream:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    guard = Egress(resolver=resolver, dialler=Hanging())
    sending = asyncio.create_task(guard.send(call(f"https://{HOST}/", HOST), ledger))
    await asyncio.wait_for(asked.wait(), 10)
    assert len(ledger.lines) == 1
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (ledger.ends[0]["error"], ledger.ends[0]["status"]) == ("cancelled", None)


async def test_a_call_that_fails_for_no_known_reason_is_not_called_cancelled() -> None:
    class Faulty(RecordingDialler):
        async def connect_tcp(self, *_: object, **__: object) -> httpcore2.AsyncNetworkStream:
            raise RuntimeError("a bug of ours")

    ledger = RecordingLedger()
    guard = Egress(resolver=RecordingResolver(), dialler=Faulty())
    with pytest.raises(RuntimeError):
        await guard.send(call(f"https://{HOST}/", HOST), ledger)
    assert (ledger.ends[0]["error"], ledger.ends[0]["status"]) == ("failed", None)


async def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_refused() -> None:
    assert len((await fetch(sized(1000))).body) == 1000
    with pytest.raises(ReplyRefused, match="larger than allowed"):
        await fetch(sized(1001))


async def test_a_call_can_ask_for_a_smaller_answer_but_not_for_a_larger_one() -> None:
    assert len((await fetch(sized(100), reply_bytes=100)).body) == 100
    for size, asked in ((101, 100), (1001, 5000)):
        with pytest.raises(ReplyRefused, match="larger than allowed"):
            await fetch(sized(size), reply_bytes=asked)


async def test_interim_answers_have_an_end() -> None:
    """`100 Continue` is no answer: without a bound it would be read for ever."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await fetch(interim * 1000 + sized(2))).body == b"xx"
    with pytest.raises(ReplyRefused, match="larger than allowed"):
        await fetch(interim * 10_000 + sized(2))


async def test_an_answer_in_too_many_pieces_is_refused() -> None:
    head, piece, end = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n",
        b"0\r\n\r\n",
    )
    limits = CallLimits(body_bytes=1024 * 1024)
    assert len((await fetch(head + piece * 16_384 + end, limits)).body) == 16_384
    with pytest.raises(ReplyRefused, match="too many pieces"):
        await fetch(head + piece * 16_385 + end, limits)


async def test_framing_weighs_as_well() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"1;" + b"e" * 4000 + b"\r\nx\r\n"
    assert len((await fetch(head + piece * 10 + b"0\r\n\r\n")).body) == 10
    with pytest.raises(ReplyRefused, match="larger than allowed"):
        await fetch(head + piece * 100 + b"0\r\n\r\n")


async def test_the_first_value_of_a_header_counts() -> None:
    answer = b"HTTP/1.1 200 OK\r\nRetry-After: 1\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
    assert (await fetch(answer)).headers["retry-after"] == "1"


class _Counting(ProvedStream):
    """A connection that is missed when it is closed."""

    def __init__(self, is_open: set[int]) -> None:
        super().__init__([sized(2)])
        self._is_open = is_open
        is_open.add(id(self))

    async def aclose(self) -> None:
        self._is_open.discard(id(self))


async def test_tenants_that_are_not_sent_for_keep_few_connections_open() -> None:
    is_open: set[int] = set()

    class Network(RecordingDialler):
        async def connect_tcp(self, *_: object, **__: object) -> httpcore2.AsyncNetworkStream:
            return _Counting(is_open)

    guard = Egress(resolver=RecordingResolver(), dialler=Network(), limits=CallLimits(idle_pools=3))
    for _ in range(10):
        one = call(f"https://{HOST}/", HOST, tenant=TenantId(new_id()))
        assert (await guard.send(one, RecordingLedger())).body == b"xx"
    assert len(is_open) == 3
    await guard.close()
    assert not is_open
