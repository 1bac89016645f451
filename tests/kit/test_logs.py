"""Logs are JSON lines with named fields only; an exception shows its place, never its text."""

import io
import json
import logging
import uuid

import pytest

from contracts import log_fields
from kit import logs, telemetry


@pytest.fixture
def lines(monkeypatch):
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(logs, "_named", {*logs.FIELDS})
    logs.setup("test", "INFO", ["tenant"])
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


def test_only_named_fields_are_written(lines, monkeypatch):
    monkeypatch.setattr(logs.Log, "refuses", False)
    logs.get("kit.test").info("done", tenant="t1", email="ada@example.com", name="Ada")
    logging.getLogger("a.library").info("done", extra={"email": "ada@example.com"})
    line, other = lines()
    assert line["message"] == other["message"] == "done"
    assert (line["service"], line["level"], line["tenant"]) == ("test", "info", "t1")
    assert "email" not in line.keys() | other.keys()
    assert line["logger"] == "kit.test"


def test_an_unnamed_field_fails_in_tests(lines):
    with pytest.raises(logs.UnnamedField, match=r"^email$"):
        logs.get("kit.test").info("done", tenant="t1", email="ada@example.com")
    with pytest.raises(logs.UnnamedField):
        logs.get("kit.test").bind(email="ada@example.com").error("failed")
    with pytest.raises(logs.UnnamedField):
        logs.get("kit.test").info("done", extra={"email": "ada@example.com"})
    assert lines() == []


def test_bound_fields_stand_in_each_line_and_in_no_other_log(lines):
    log = logs.get("kit.test")
    inside = log.bind(tenant="t1").bind(state="open")
    inside.info("first")
    inside.warning("second", state="closed", reason="done")
    log.info("third")
    first, second, third = lines()
    assert (first["tenant"], first["state"]) == ("t1", "open")
    assert (second["tenant"], second["state"], second["reason"]) == ("t1", "closed", "done")
    assert "tenant" not in third


def test_a_value_that_json_does_not_know_is_its_text(lines):
    one = uuid.uuid4()
    logs.get("kit.test").info("done", tenant=one)
    assert lines()[0]["tenant"] == str(one)


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
    with telemetry.bind_trace(given):
        assert telemetry.trace_parent() == given
        logs.get("kit.test").info("inside")
    with telemetry.bind_trace("00-nonsense") as made:
        assert made != "00-nonsense"
        assert len(made) == 55
    assert lines()[0]["trace"] == "0af7651916cd43dd8448eb211c80319c"
    assert telemetry.trace_id() == ""


def test_no_named_field_is_one_of_the_standard_records():
    record = logging.LogRecord("n", logging.INFO, "p", 1, "m", None, None)
    assert not (logs.FIELDS | log_fields.FIELDS) & record.__dict__.keys()
