"""Logs are JSON lines with named fields only; an exception shows its place, never its text."""

import io
import json
import logging

import pytest

from kit import logs


@pytest.fixture
def lines(monkeypatch):
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.stderr", stream)
    logs.setup("test", "INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


def test_only_named_fields_are_written(lines):
    logs.get("kit.test").info("done", extra={"tenant": "t1", "email": "ada@example.com"})
    (line,) = lines()
    assert line["message"] == "done"
    assert (line["service"], line["level"], line["tenant"]) == ("test", "info", "t1")
    assert "ada@example.com" not in json.dumps(line)


def test_an_exception_shows_its_kind_and_place_but_not_its_text(lines):
    try:
        int("hunter2")
    except ValueError:
        logs.get("kit.test").exception("failed")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert any("test_logs.py" in place for place in line["where"])
    assert "hunter2" not in json.dumps(line)


def test_a_trace_goes_through_and_a_malformed_one_is_replaced(lines):
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with logs.bind_trace(given):
        assert logs.trace_parent() == given
        logs.get("kit.test").info("inside")
    with logs.bind_trace("00-nonsense") as made:
        assert made != "00-nonsense"
        assert len(made) == 55
    assert lines()[0]["trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert logs.trace_id() == ""


def test_no_named_field_is_one_of_the_standard_records():
    record = logging.LogRecord("n", logging.INFO, "p", 1, "m", None, None)
    assert not logs.FIELDS & record.__dict__.keys()
