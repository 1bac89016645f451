"""Structured logs: one JSON object a line on stderr, only named fields, no personal data."""

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from kit.telemetry import trace_id

FIELDS = frozenset(
    [
        "client_request_id",
        "database",
        "dependency",
        "duration_ms",
        "error",
        "event_id",
        "item",
        "loop",
        "method",
        "migration",
        "path",
        "queue",
        "reason",
        "request_id",
        "state",
        "status",
        "timer",
        "topic",
    ]
)
"""What the kit itself has to say; a product names its own beside these (`setup`)."""
_named = set(FIELDS)


class UnnamedField(TypeError):
    """A line would carry a field that nobody has named."""


class Log:
    """Says what happened in fixed words, and all else in named fields: `info("done", rows=3)`.

    A field that is not named is left out; where `refuses` is set (in tests), it is UnnamedField.
    """

    refuses: ClassVar = False

    def __init__(self, name: str, bound: Mapping[str, object] | None = None) -> None:
        self._to, self._bound = logging.getLogger(name), bound or {}

    def bind(self, **fields: object) -> "Log":
        """The same log, with these fields in each of its lines."""
        return Log(self._to.name, {**self._bound, **fields})

    def info(self, message: str, /, **fields: Any) -> None:
        self._say(logging.INFO, message, **fields)

    def warning(self, message: str, /, **fields: Any) -> None:
        self._say(logging.WARNING, message, **fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """`exc_info`: the error whose kind and place the line shows."""
        self._say(logging.ERROR, message, **fields)

    def exception(self, message: str, /, **fields: Any) -> None:
        """Within `except`: with the kind and place of the error in hand."""
        self._say(logging.ERROR, message, exc_info=True, **fields)

    def _say(
        self,
        level: int,
        message: str,
        /,
        *,
        exc_info: BaseException | bool | None = None,
        **fields: object,
    ) -> None:
        said = {**self._bound, **fields}
        if self.refuses and not _named >= said.keys():
            raise UnnamedField(", ".join(sorted(said.keys() - _named)))
        known = {key: value for key, value in said.items() if key in _named}
        self._to.log(level, message, exc_info=exc_info, extra=known, stacklevel=3)


def setup(service: str, level: str = "INFO", fields: Iterable[str] = ()) -> None:
    """Send all logging of this process to stderr as JSON lines; `fields` are the product's own."""
    name_fields(fields)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx2", "httpcore2", "aiormq", "aio_pika", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for robust in ("aio_pika.robust_connection", "aiormq.connection"):
        logging.getLogger(robust).setLevel(logging.CRITICAL)  # their errors carry the broker's URL
    for counted in ("opentelemetry", "urllib3"):
        logging.getLogger(counted).setLevel(logging.CRITICAL)  # a collector's words and address


def name_fields(fields: Iterable[str]) -> None:
    """Lines of this process may carry these, too: references and closed sets, nothing personal."""
    _named.update(fields)


def get(name: str) -> Log:
    """The log of a module."""
    return Log(name)


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
        line |= {key: record.__dict__[key] for key in _named & record.__dict__.keys() - line.keys()}
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
