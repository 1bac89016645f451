"""What a reply may cost: twice as much of anything takes about twice the time, never its square."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from services.sync.crm import RowWrite
from services.sync.crm.dataverse import errors as crm_errors
from services.sync.crm.dataverse.aside import aside
from services.sync.crm.dataverse.metadata import columns, tables
from services.sync.crm.dataverse.replies import ReplyUnreadable, parts
from services.sync.crm.dataverse.verdicts import of_row, retry_after
from services.sync.egress import CallFailed, Reply
from tests.growth import growth
from tests.services.sync.answering import MAPPING, environment, http

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TYPE = "multipart/mixed; boundary=b"
MOST = 2.5
HEAD = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n"


def whole(inside: bytes) -> bytes:
    return HEAD + inside + b"\r\n--b--\r\n"


MULTIPARTS: dict[str, Callable[[int], bytes]] = {
    "header lines": lambda size: whole(b"a:\n" * size),
    "header lines of the outer head": lambda size: b"--b\n" + b"a:\n" * size + b"--b--",
    "one header line": lambda size: whole(b"a:" + b"b" * size),
    "no header line": lambda size: whole(b"a" * size),
    "empty lines": lambda size: whole(b"\r\n" * size),
    "carriage returns": lambda size: whole(b"\r" * size),
    "a body": lambda size: whole(b"\r\n" + b"x" * size),
    "a preamble of line ends": lambda size: b"\n" * size + whole(b""),
    "delimiters that are none": lambda size: whole(b"\n--bb" * size),
    "delimiters with spaces": lambda size: whole((b"\n--b" + b" " * 500 + b"x") * (size // 500)),
    "one delimiter with spaces": lambda size: whole(b"\n--b" + b" " * size + b"x"),
    "delimiters": lambda size: b"--b\n" * size,
    "no end": lambda size: HEAD + b"x\n-" * size,
    "a status line": lambda size: b"--b\n\nHTTP/1.1 200 " + b"x" * size + b"\n--b--",
}


@pytest.mark.parametrize("kind", MULTIPARTS)
def test_a_multipart_costs_what_it_is_long(kind: str) -> None:
    made = {size: MULTIPARTS[kind](size) for size in (20_000, 40_000)}

    def read(size: int) -> None:
        with contextlib.suppress(ReplyUnreadable):
            parts(TYPE, made[size], 100)

    assert growth(read, int, 20_000) <= MOST


def test_header_lines_beyond_all_use_are_no_answer() -> None:
    """The reader takes a head of 8 KiB and stops there, not at the end of the reply."""
    with pytest.raises(ReplyUnreadable, match="a head that is too long"):
        parts(TYPE, whole(b"a:\n" * 200_000 + b"\n"), 1)
    full = b"a: " + b"b" * (8 * 1024 - 3 - 2) + b"\n\n"
    assert len(parts(TYPE, whole(full), 1)) == 1


ERRORS: dict[str, Callable[[int], bytes]] = {
    "lists": lambda size: b'{"error":[' + b"[]," * size + b"[]]}",
    "a message": lambda size: b'{"error":{"message":"' + b"m" * size + b'"}}',
    "escapes": lambda size: b'{"error":{"message":"' + b"\\u0041" * size + b'"}}',
    "a code": lambda size: b'{"error":{"code":"' + b"9" * size + b'"}}',
    "a hexadecimal code": lambda size: b'{"error":{"code":"0x' + b"f" * size + b'"}}',
    "keys": lambda size: b"{%s}" % b",".join(b'"%d":1' % number for number in range(size)),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_costs_what_it_is_long(kind: str) -> None:
    made = {size: ERRORS[kind](size) for size in (2_000, 4_000)}
    assert growth(lambda size: of_row(400, {}, made[size], NOW), int, 2_000) <= MOST


def test_an_error_that_is_larger_than_any_is_not_read() -> None:
    def error(size: int) -> bytes:
        empty = b'{"error":{"message":"no","x":""}}'
        return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')

    assert crm_errors.read(error(64 * 1024)).message == "no"
    assert crm_errors.read(error(64 * 1024 + 1)).message == ""


@pytest.mark.parametrize("text", ["9", "-9", "0", " ", "Fri, ", "x", "٣"])
def test_a_wait_costs_what_it_is_long(text: str) -> None:
    made = {size: {"retry-after": text * size} for size in (20_000, 40_000)}
    assert growth(lambda size: retry_after(made[size], NOW), int, 20_000) <= MOST


COLUMN = b'{"LogicalName":"c%d","IsValidForCreate":true,"IsValidForUpdate":true}'
DESCRIPTIONS: dict[str, Callable[[int], bytes]] = {
    "columns": lambda size: b",".join(COLUMN % number for number in range(size)),
    "columns of one name": lambda size: b",".join([COLUMN % 1] * size),
    "nothing": lambda size: b",".join([b"{}"] * size),
    "keys": lambda size: b'{"LogicalName":"t","Keys":[%s]}' % b",".join([b"1"] * size),
}


@pytest.mark.parametrize("kind", DESCRIPTIONS)
def test_a_description_costs_what_it_is_long(kind: str) -> None:
    made = {size: b'{"value":[%s]}' % DESCRIPTIONS[kind](size) for size in (1_000, 2_000)}

    def read(size: int) -> None:
        for reader in (columns, tables):
            with contextlib.suppress(CallFailed):
                reader(Reply(200, {}, made[size]))

    assert growth(read, int, 1_000) <= MOST


@pytest.mark.parametrize(("size", "is_aside"), [(16 * 1024, False), (16 * 1024 + 1, True)])
async def test_a_large_answer_is_read_beside_the_event_loop(size: int, is_aside: bool) -> None:
    reader = await aside(lambda _: threading.current_thread(), Reply(200, {}, b"x" * size))
    assert (reader is not threading.current_thread()) == is_aside


def on_the_loop(work: Awaitable[object]) -> float:
    """The part of the CPU that the event loop's own thread has spent."""

    async def spend() -> None:
        with contextlib.suppress(CallFailed):
            await work

    everybody, mine = time.process_time(), time.thread_time()
    asyncio.run(spend())
    return (time.thread_time() - mine) / (time.process_time() - everybody)


def test_the_large_answers_of_a_crm_leave_the_event_loop_alone() -> None:
    rows = [RowWrite("new", f"K{number}", {"name": "x"}) for number in range(100)]
    parts_of_headers = (HEAD + b"a:\r\n" * 2000 + b"\r\n") * 100 + b"--b--"
    batch = environment(http(parts_of_headers, Content_Type=TYPE)).write(MAPPING, rows)
    assert on_the_loop(batch) < 0.75
    described = http(b'{"value":[%s]}' % b",".join(COLUMN % number for number in range(20_000)))
    assert on_the_loop(environment(described).columns("account")) < 0.75
