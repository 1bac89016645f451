"""Hostile replies: whatever a CRM answers, a call ends in one of the documented ways."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.sync.crm import Meaning, RowWrite, Sent
from services.sync.crm.dataverse import SignInRefused, TableMissing
from services.sync.crm.dataverse import errors as crm_errors
from services.sync.crm.dataverse.replies import ReplyUnreadable, parts
from services.sync.crm.dataverse.verdicts import of_batch, of_row, retry_after
from services.sync.egress import AddressRefused, CallFailed
from tests.services.sync.answering import CONNECTION, MAPPING, TOKEN, environment, http

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TYPE = "multipart/mixed; boundary=b"
ROWS = [RowWrite("new", f"K{number}", {"name": "x"}) for number in range(3)]

NUMBERS = st.integers() | st.integers(10**300, 10**301) | st.floats(allow_nan=False)
TEXTS = st.text(max_size=20) | st.sampled_from(["nan", "1e999", "9" * 400, "Active", "'/x", "\0"])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.sampled_from(
    "access_token expires_in error code message value Keys LogicalName KeyAttributes"
    " EntityKeyIndexStatus IsValidForCreate IsValidForUpdate".split()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=12,
)
DOCUMENTS = VALUES.map(lambda value: json.dumps(value).encode())
DESCRIPTIONS = st.dictionaries(NAMES, VALUES, max_size=6).map(
    lambda one: json.dumps({"value": [one]}).encode()
)
PIECES = st.lists(
    st.sampled_from(
        [
            *(b"--b", b"--b--", b"--", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"a: b", b":"),
            *(b"HTTP/1.1 204 No Content", b"HTTP/1.1 999", b"HTTP/1.1 429 X\r\nRetry-After: 1"),
        ]
    )
    | st.binary(max_size=6),
    max_size=30,
).map(b"".join)
MULTIPARTS = PIECES | PIECES.map(lambda inside: b"--b\r\n" + inside + b"\r\n--b--\r\n")
HEADERS = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
WAITS = HEADERS | st.sampled_from(
    [
        *("9" * 400, "9" * 5000, "-" + "9" * 400, "Fri, 07 Sep 2026 21:00:00 +99999999999999"),
        *("Fri, 07 Sep 0000 21:00:00 GMT", "Fri, 31 Feb 2026 21:00:00 GMT", "١", "1_0", "1e5"),
        *("Fri, 07 Sep 9999 23:59:59 -2359", "Fri, 07 Sep 2026 99:99:99 GMT", "()", "nan", "inf"),
    ]
)


@given(WAITS)
def test_whatever_retry_after_says_the_wait_is_none_or_within_a_day(text: str) -> None:
    wait = retry_after({"retry-after": text}, NOW)
    assert wait is None or 0 <= wait <= 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("9" * 400, 86400.0),
        ("9" * 5000, 86400.0),
        ("0" * 400 + "7", 7.0),
        ("-" + "9" * 400, 0.0),
        ("Fri, 07 Sep 2026 21:00:00 +99999999999999", None),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30.0),
        ("Thu Jan  1 12:00:30 2026", 30.0),
        ("Tue, 01 Jan 2126 12:00:00 GMT", 86400.0),
        ("86400", 86400.0),
        ("86401", 86400.0),
        ("1_0", None),
        ("١", None),
        ("1.5", None),
    ],
)
def test_only_the_forms_of_http_are_a_wait(text: str, seconds: float | None) -> None:
    """RFC 9110, sections 10.2.3 and 5.6.7."""
    assert retry_after({"retry-after": text}, NOW) == seconds


@given(DOCUMENTS | st.binary(max_size=60))
@example(b'{"error":{"code":"0x' + b"f" * 9000 + b'","message":{"a":1}}}')
@example(b'{"error":{"code":"' + b"9" * 9000 + b'"}}')
@example(b'{"error":[]}')
def test_whatever_an_error_says_it_is_a_short_text_and_a_number(body: bytes) -> None:
    found = crm_errors.read(body)
    assert isinstance(found.message, str)
    assert len(found.message) <= 500
    assert found.code is None or 0 <= found.code <= 0xFFFFFFFF


@given(st.integers(100, 999), WAITS, DOCUMENTS | st.binary(max_size=60))
def test_whatever_a_status_and_body_say_a_row_and_a_batch_have_a_verdict(
    status: int, wait: str, body: bytes
) -> None:
    headers = {"retry-after": wait, "content-type": "application/json"}
    row, whole = of_row(status, headers, body, NOW), of_batch(status, headers, body, NOW)
    assert whole is not None
    assert all(0 <= one.wait_s <= 86400 for one in (row, whole))
    assert all(len(one.reason) < 200 for one in (row, whole))


@given(MULTIPARTS, st.integers(0, 4))
def test_whatever_a_multipart_holds_it_is_read_or_unreadable(body: bytes, expected: int) -> None:
    try:
        found = parts(TYPE, body, expected)
    except ReplyUnreadable:
        return
    assert len(found) <= expected
    assert all(100 <= part.status <= 999 for part in found)


def run(call: Callable[[], Awaitable[Any]]) -> Any:
    """The value of a call, or its documented refusal; anything else fails the test."""

    async def ended() -> Any:
        try:
            return await call()
        except (SignInRefused, CallFailed, AddressRefused, TableMissing) as refusal:
            return refusal

    return asyncio.run(ended())


@given(DOCUMENTS | st.binary(max_size=60), st.sampled_from([200, 400, 401, 429, 503]), WAITS)
@settings(max_examples=60, deadline=None)
def test_whatever_an_authority_answers_a_token_is_held_or_refused(
    body: bytes, status: int, wait: str
) -> None:
    answer = http(body, status, Retry_After=wait.strip())
    environ = environment(answer, token=None)
    refusal = asyncio.run(environ.refusal())
    assert refusal is None or refusal.meaning is not Meaning.OK


@pytest.mark.parametrize(
    "expires_in",
    ['"nan"', '"inf"', '"1e400"', "1" + "0" * 400, "-1", "0", "null", "[]", '""', "true", '"1_0"'],
)
def test_a_lifetime_that_is_none_is_no_token_and_a_huge_one_is_a_day(expires_in: str) -> None:
    body = b'{"access_token":"t","expires_in":' + expires_in.encode() + b"}"
    refusal = asyncio.run(environment(http(body), token=None).refusal())
    if expires_in.startswith("1"):
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.reason == "the authority's answer holds no token"


@pytest.mark.parametrize("token", ["x" * 16385, "x" + "=" * 3, "", "a b", "a\\r\\nX: y", "ü"])
def test_a_token_that_no_header_should_carry_is_none(token: str) -> None:
    body = f'{{"access_token":"{token}","expires_in":3599}}'.encode()
    refusal = asyncio.run(environment(http(body), token=None).refusal())
    assert refusal is not None
    assert refusal.reason == "the authority's answer holds no token"


@given(DESCRIPTIONS | DOCUMENTS | st.binary(max_size=60))
@example(b'{"value":[{"LogicalName":"account","Keys":null}]}')
@example(b'{"value":[{"LogicalName":"account","Keys":[null]}]}')
@example(b'{"value":[{"LogicalName":"a\'/x","Keys":[]}]}')
@example(b'{"value":[{"LogicalName":"account","Keys":[{"KeyAttributes":[[]]}]}]}')
@example(b'{"value":[{"LogicalName":"account","Keys":[{"KeyAttributes":1}]}]}')
@example(b'{"value":[{"AttributeType":"String"}]}')
@settings(max_examples=60, deadline=None)
def test_whatever_a_crm_describes_a_probe_ends_with_a_short_reason(body: bytes) -> None:
    async def probed() -> Any:
        environ = environment(http(body))
        found = await environ.probe()
        with_columns = await environment(http(body)).columns("account")
        return found, with_columns

    found = run(probed)
    if isinstance(found, tuple):
        assert all(len(step.reason) < 300 for step in found[0].steps)
    probed_alone = run(lambda: environment(http(body)).probe())
    assert probed_alone.steps


@given(MULTIPARTS, st.sampled_from([200, 207, 400, 413, 429, 500]), WAITS, HEADERS)
@settings(max_examples=60, deadline=None)
def test_whatever_a_batch_is_answered_each_row_has_an_outcome_or_all_have_one(
    body: bytes, status: int, wait: str, hint: str
) -> None:
    headers = {"Retry_After": wait.strip(), "x_ms_dop_hint": hint.strip()}
    answer = http(body, status, Content_Type=TYPE, **headers)
    sent = run(lambda: environment(answer).write(MAPPING, ROWS))
    assert isinstance(sent, Sent)
    assert (sent.whole is None) == (len(sent.rows) == len(ROWS))
    assert sent.parallel_hint is None or 0 <= sent.parallel_hint < 1000


@given(st.binary(max_size=80) | PIECES, st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_bytes_come_back_the_call_ends_as_documented(answer: bytes, head: bool) -> None:
    full = (b"HTTP/1.1 200 OK\r\n" if head else b"") + answer
    sent = run(lambda: environment(full).write(MAPPING, ROWS))
    assert isinstance(sent, Sent)
    refused = run(lambda: environment(full, token=None).sign_in())
    assert refused is None or isinstance(refused, (CallFailed, SignInRefused))


def test_the_token_of_these_tests_is_one() -> None:
    assert asyncio.run(environment(http(b"{}"), token=http(TOKEN)).refusal()) is None
    assert CONNECTION.names == {"crm.example.com", "login.example.com"}


def test_rows_without_an_answer_were_not_run_and_are_tried_again() -> None:
    part = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    answer = http(part + b"\r\n--b--\r\n", Content_Type=TYPE)
    sent = run(lambda: environment(answer).write(MAPPING, ROWS))
    assert [row.meaning for row in sent.rows] == [Meaning.OK, Meaning.BACK_OFF, Meaning.BACK_OFF]
    assert sent.rows[1].reason == "the CRM stopped before this row"


@pytest.mark.parametrize(
    "key",
    [
        '{"KeyAttributes":["bulkhead_symbol"],"EntityKeyIndexStatus":"call +1 555 0100"}',
        '{"KeyAttributes":["bulkhead_symbol"]}',
        '{"KeyAttributes":"bulkhead_symbol","EntityKeyIndexStatus":"Active"}',
    ],
)
def test_a_crm_puts_no_words_of_its_own_into_a_reason(key: str) -> None:
    body = f'{{"value":[{{"LogicalName":"account","Keys":[{key}]}}]}}'.encode()
    found = run(lambda: environment(http(body)).probe())
    assert found.failed is not None
    assert found.failed.reason == "the CRM's answer is not what the Web API documents"
