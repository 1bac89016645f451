"""What answers mean: rows are parked only for what lies in the row."""

import json
from datetime import UTC, datetime

import pytest

from services.sync.crm.dataverse.errors import number, read
from services.sync.crm.dataverse.verdicts import of_batch, of_row, retry_after
from services.sync.crm.verdict import Meaning, Verdict

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
JSON = {"content-type": "application/json"}


def error(code: str, message: str = "words") -> bytes:
    return json.dumps({"error": {"code": code, "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, b"", Meaning.OK),
        (201, b"{}", Meaning.OK),
        (204, b"", Meaning.OK),
        (429, error("0x80072322"), Meaning.WAIT),
        (429, error("-2147015902"), Meaning.WAIT),
        (429, b"<html>", Meaning.WAIT),
        (503, b"<html>", Meaning.BACK_OFF),
        (500, error("0x80040216"), Meaning.BACK_OFF),
        (502, b"", Meaning.BACK_OFF),
        (408, b"", Meaning.BACK_OFF),
        (408, error(""), Meaning.BACK_OFF),
        (412, error("0x80060892"), Meaning.RACED),
        (412, error("", "A record with matching key values already exists."), Meaning.RACED),
        (500, error("0x80040237"), Meaning.BACK_OFF),
        (412, error("0x80040237"), Meaning.RACED),
        (400, error("0x80044331"), Meaning.REJECTED),
        (400, error("0x80040265"), Meaning.REJECTED),
        (400, error("", "whatever"), Meaning.DOUBTED),
        (400, b"not json", Meaning.BACK_OFF),
        (400, b"<html>Blocked by the proxy</html>", Meaning.BACK_OFF),
        (400, b'{"error":"invalid"}', Meaning.BACK_OFF),
        (403, b"<html>Forbidden</html>", Meaning.BACK_OFF),
        (401, b"", Meaning.BACK_OFF),
        (404, b"", Meaning.BACK_OFF),
        (302, b"", Meaning.BACK_OFF),
        (401, error(""), Meaning.BROKEN),
        (403, error(""), Meaning.BROKEN),
        (403, error("0x80040225"), Meaning.BROKEN),
        (400, error("0x80040220"), Meaning.BROKEN),
        (404, error("0x80060888"), Meaning.DOUBTED),
        (405, error(""), Meaning.DOUBTED),
        (413, b"", Meaning.DOUBTED),
        (404, error("0x80060891"), Meaning.REJECTED),
        (403, error("0x80040220"), Meaning.BROKEN),
        (403, error("-2147220960"), Meaning.BROKEN),
        (403, error("-2147187962"), Meaning.REJECTED),
        (404, error("0x8006088a"), Meaning.BROKEN),
        (400, error("0x0", "Could not find a property named 'x' on type 'y'."), Meaning.DOUBTED),
        (400, error("0x80048d19", "An undeclared property 'x' which only"), Meaning.DOUBTED),
        (400, error("0x80040265", "Invalid property address on the card"), Meaning.REJECTED),
    ],
)
def test_the_verdict_on_a_row(status: int, body: bytes, meaning: Meaning) -> None:
    assert of_row(status, {}, body, NOW).meaning is meaning


@pytest.mark.parametrize(
    ("status", "headers", "body", "meaning"),
    [
        (429, JSON | {"retry-after": "7"}, error("0x80072326"), Meaning.WAIT),
        (503, JSON | {"retry-after": "7"}, b"", Meaning.WAIT),
        (503, {}, b"<html>", Meaning.BACK_OFF),
        (503, JSON, error(""), Meaning.BACK_OFF),
        (500, JSON, error(""), Meaning.BACK_OFF),
        (302, {"location": "https://elsewhere"}, b"", Meaning.BACK_OFF),
        (200, {"content-type": "text/html"}, b"<html>", Meaning.BACK_OFF),
        (400, JSON, error("0x80048d19", "Stream was not readable"), Meaning.SPLIT),
        (413, {}, b"", Meaning.SPLIT),
        (401, JSON, error(""), Meaning.BROKEN),
        (403, JSON, error(""), Meaning.BROKEN),
        (401, JSON, b"", Meaning.BACK_OFF),
        (403, {"content-type": "text/html"}, b"<html>Blocked</html>", Meaning.BACK_OFF),
        (404, JSON, error("0x8006088a"), Meaning.BROKEN),
        (404, JSON, b"", Meaning.BACK_OFF),
        (400, {}, b"<html>", Meaning.BACK_OFF),
        (502, {"retry-after": "40"}, b"<html>", Meaning.WAIT),
        (413, {"retry-after": "40"}, b"", Meaning.WAIT),
        (400, JSON | {"retry-after": "9" * 311}, error(""), Meaning.WAIT),
    ],
)
def test_the_verdict_on_a_whole_batch(
    status: int, headers: dict[str, str], body: bytes, meaning: Meaning
) -> None:
    found = of_batch(status, headers, body, NOW)
    assert found is not None
    assert found.meaning is meaning


@pytest.mark.parametrize("status", [200, 400, 412])
def test_a_multipart_answer_speaks_for_its_parts(status: int) -> None:
    assert of_batch(status, {"content-type": "multipart/mixed; boundary=x"}, b"", NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("999999999", 86400.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_codes_are_one_number_however_they_are_written() -> None:
    assert number("0x80072322") == number("-2147015902") == 0x80072322
    assert number("") is None
    assert number("0x0") == 0
    assert read(error("0x80040265")).label == "0x80040265"


def test_the_crms_words_stand_apart_from_our_reason() -> None:
    found = of_row(400, {}, error("0x80040265", "Mrs Miller is not allowed"), NOW)
    assert "Miller" not in found.reason
    assert "Miller" not in repr(found)
    assert found.detail == "Mrs Miller is not allowed"


def test_a_stack_trace_of_the_server_goes_nowhere() -> None:
    body = {"error": {"code": "0x80040265", "message": "no", "innererror": {"stacktrace": "at C:"}}}
    found = of_row(400, {}, json.dumps(body).encode(), NOW)
    assert "C:" not in found.detail + found.reason
    assert found == Verdict(Meaning.REJECTED, found.reason, detail="no", code="refused-by-rule")


@pytest.mark.parametrize("code", ["0x80040217", "-2147220969", ""])
def test_a_known_row_that_is_not_there_is_gone_and_no_fault_of_its_own(code: str) -> None:
    assert of_row(404, {}, error(code), NOW, "known").meaning is Meaning.GONE
    assert of_row(404, {}, error(code), NOW, "delete").meaning is Meaning.GONE
    assert of_row(404, {}, b"<html>", NOW, "known").meaning is Meaning.BACK_OFF
    assert of_row(404, {}, error("0x8006088a"), NOW, "known").meaning is Meaning.BROKEN
    assert of_row(404, {}, error("0x80060891"), NOW, "known").meaning is Meaning.REJECTED


def test_a_key_that_another_row_has_is_taken_and_not_raced_for() -> None:
    assert of_row(412, {}, error("0x80060892"), NOW, "known").meaning is Meaning.TAKEN
