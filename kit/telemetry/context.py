"""Where the present story has come to: a W3C traceparent that travels in headers and messages."""

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar

_TRACE: ContextVar[str] = ContextVar("trace_parent", default="")
_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_parent() -> str:
    """The present W3C traceparent; a new one where none is bound."""
    return _TRACE.get() or new_trace()


def trace_id() -> str:
    """The 32 hexadecimal digits that join one story over processes; empty outside of one."""
    return _TRACE.get()[3:35]


def sampled_trace() -> str:
    """The present traceparent if spans of it are kept, else an empty text."""
    parent = _TRACE.get()
    return parent if is_sampled(parent) else ""


@contextlib.contextmanager
def bind_trace(parent: str | None) -> Iterator[str]:
    """Continue the trace `parent` (or begin one where it is absent or malformed)."""
    value = parent if parent and is_trace(parent) else new_trace()
    token = _TRACE.set(value)
    try:
        yield value
    finally:
        with contextlib.suppress(ValueError):  # what was abandoned ends in somebody else's context
            _TRACE.reset(token)


def is_trace(text: str) -> bool:
    """Whether it is a traceparent of the one version that there is."""
    return _FORM.fullmatch(text) is not None


def is_sampled(parent: str) -> bool:
    """Whether who wrote it has kept a span of it."""
    return parent != "" and int(parent[-2:], 16) & 1 == 1


def new_trace() -> str:
    """Not sampled: whoever begins a trace without a span has kept nothing of it."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"
