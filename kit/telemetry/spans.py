"""Spans: what took how long within a story, told with route templates, ids and counts only.

What a span may say has a name here; what has none is left out. Errors are told by their kind: an
error's text may carry values.
"""

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ClassVar, Literal, Protocol, Self

from kit.telemetry.context import bind_trace, is_sampled, is_trace, trace_parent

Kind = Literal["server", "client", "producer", "consumer", "internal"]
ATTRIBUTES: Mapping[str, str] = {
    "attempts": "bulkhead.attempts",
    "backup": "bulkhead.backup",
    "bytes": "bulkhead.bytes",
    "connection": "bulkhead.connection",
    "database": "db.namespace",
    "error": "error.type",
    "event_id": "messaging.message.id",
    "method": "http.request.method",
    "operation": "bulkhead.operation",
    "peer": "bulkhead.peer",
    "queue": "messaging.destination.subscription.name",
    "request_id": "bulkhead.request_id",
    "route": "http.route",
    "rows": "bulkhead.rows",
    "status": "http.response.status_code",
    "system": "db.system.name",
    "tenant": "bulkhead.tenant",
    "topic": "messaging.destination.name",
}
"""Our names, and those of OpenTelemetry's conventions where there are any."""


class UnnamedAttribute(TypeError):
    """A span would carry something that has no name here."""


class Begun(Protocol):
    """A span under way, as whoever records spans has it."""

    @property
    def traceparent(self) -> str: ...

    def note(self, values: Mapping[str, str | int]) -> None: ...

    def rename(self, name: str) -> None: ...

    def end(self, *, failed: bool) -> None: ...


class Recorder(Protocol):
    """Records spans. `parent` is empty where a story begins; `link` names another one."""

    def begin(
        self, name: str, kind: Kind, parent: str, link: str, values: Mapping[str, str | int]
    ) -> Begun: ...


class Span:
    """A block that is recorded; the base of all records nothing, and is what others see when
    nobody records."""

    refuses: ClassVar = False
    is_recorded: ClassVar = False

    def note(self, **values: object) -> None:
        """Say more of it, in named attributes."""

    def rename(self, name: str) -> None:
        """Its name was not known when it began."""

    def fail(self, error: str) -> None:
        """It did not do what it was for; `error` is a kind, never a text."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The end."""


_NOTHING = Span()
_recorder: Recorder | None = None


def record_with(recorder: Recorder | None) -> None:
    """From now on spans go there; None: nowhere."""
    global _recorder
    _recorder = recorder


def trace(
    name: str,
    kind: Kind = "internal",
    *,
    parent: str | None = None,
    link: str = "",
    **values: object,
) -> AbstractContextManager[Span]:
    """Continue the trace `parent`, or begin one (where whoever samples decides what is kept).

    `link` is the traceparent of another story that has led to this one.
    """
    if _recorder is None:
        return _Bound(parent)
    known = parent if parent and is_trace(parent) else ""
    return _Recorded(_recorder, name, kind, known, link if is_trace(link) else "", values)


def quiet_trace(parent: str | None = None) -> AbstractContextManager[Span]:
    """Like `trace`, and nothing of it is kept: for what comes every second and says nothing."""
    return _Bound(parent)


def span(name: str, kind: Kind = "internal", **values: object) -> AbstractContextManager[Span]:
    """A part of the present trace; nothing where that is not kept."""
    if _recorder is None:
        return _NOTHING
    parent = trace_parent()
    return _Recorded(_recorder, name, kind, parent, "", values) if is_sampled(parent) else _NOTHING


class _Bound(Span):
    """A trace that nobody records: only its number is bound."""

    def __init__(self, parent: str | None) -> None:
        self._binding = bind_trace(parent)

    def __enter__(self) -> Self:
        self._binding.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._binding.__exit__(kind, error, traceback)


class _Recorded(Span):
    is_recorded: ClassVar = True

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        kind: Kind,
        parent: str,
        link: str,
        values: Mapping[str, object],
    ) -> None:
        self._begun = recorder.begin(name, kind, parent, link, _named(values))
        self._binding = contextlib.ExitStack()
        self._has_failed = False

    def note(self, **values: object) -> None:
        self._begun.note(_named(values))

    def rename(self, name: str) -> None:
        self._begun.rename(name)

    def fail(self, error: str) -> None:
        self._has_failed = True
        self.note(error=error)

    def __enter__(self) -> Self:
        self._binding.enter_context(bind_trace(self._begun.traceparent))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._binding.close()
        if kind is not None:
            self.note(error=kind.__name__)
            self._has_failed |= _is_failure(kind)
        self._begun.end(failed=self._has_failed)


def _is_failure(kind: type[BaseException]) -> bool:
    """A refusal of ours (404, 409) is an answer; so is it to be told to stop."""
    status = getattr(kind, "status", None)
    is_answer = isinstance(status, int) and status < 500
    return issubclass(kind, Exception) and not is_answer


def _named(values: Mapping[str, object]) -> dict[str, str | int]:
    if Span.refuses and not ATTRIBUTES.keys() >= values.keys():
        raise UnnamedAttribute(", ".join(sorted(values.keys() - ATTRIBUTES.keys())))
    return {
        ATTRIBUTES[name]: value if isinstance(value, int) else str(value)
        for name, value in values.items()
        if name in ATTRIBUTES and value is not None
    }
