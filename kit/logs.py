"""Structured logs: one JSON object a line on stderr, only named fields, no personal data."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

FIELDS = frozenset(
    [
        "access_level",
        "action",
        "actor",
        "address",
        "attempt",
        "backup",
        "bytes",
        "caller",
        "client_request_id",
        "connection",
        "consumer",
        "count",
        "database",
        "delay_s",
        "dependency",
        "duration_ms",
        "error",
        "event_id",
        "host",
        "item",
        "kind",
        "lease",
        "level",
        "loop",
        "method",
        "migration",
        "operation",
        "path",
        "permission",
        "position",
        "problem",
        "queue",
        "reason",
        "rejected",
        "request_id",
        "restore",
        "rows",
        "service",
        "session",
        "slug",
        "state",
        "status",
        "table",
        "tenant",
        "timer",
        "topic",
        "trace",
        "user",
    ]
)
_TRACE: ContextVar[str] = ContextVar("trace_parent", default="")
_VERSION = "00"


def setup(service: str, level: str = "INFO") -> None:
    """Send all logging of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx2", "httpcore2", "aiormq", "aio_pika", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for robust in ("aio_pika.robust_connection", "aiormq.connection"):
        logging.getLogger(robust).setLevel(logging.CRITICAL)  # their errors carry the broker's URL


def get(name: str) -> logging.Logger:
    """The logger of a module; give `extra` only keys of FIELDS."""
    return logging.getLogger(name)


def trace_parent() -> str:
    """The present W3C traceparent; a new one where none is bound."""
    return _TRACE.get() or _new_trace()


def trace_id() -> str:
    """The 32 hexadecimal digits that join one story over processes."""
    return trace_parent().split("-")[1] if _TRACE.get() else ""


@contextlib.contextmanager
def bind_trace(parent: str | None) -> Iterator[str]:
    """Continue the trace `parent` (or begin one where it is absent or malformed)."""
    value = parent if parent and _is_trace(parent) else _new_trace()
    token = _TRACE.set(value)
    try:
        yield value
    finally:
        _TRACE.reset(token)


def _new_trace() -> str:
    return f"{_VERSION}-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def _is_trace(text: str) -> bool:
    parts = text.split("-")
    return (
        [len(part) for part in parts] == [2, 32, 16, 2]
        and all(c in "0123456789abcdef-" for c in text)
        and parts[0] == _VERSION
    )


class _JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := trace_id():
            line["trace"] = trace
        line |= {key: record.__dict__[key] for key in FIELDS & record.__dict__.keys() - line.keys()}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _where(record)
        return json.dumps(line, default=str)


def _where(record: logging.LogRecord) -> list[str]:
    """File and line of each frame: an exception's text may carry values, its place does not."""
    frames: list[str] = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return frames[-12:]
