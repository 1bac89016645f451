"""The one way out for spans: OTLP over HTTP, from a thread with a bounded queue.

A collector that is slow, dead or hostile costs spans and nothing else: what does not fit into the
queue is dropped and counted, nothing is waited for, and the end takes two seconds at most.
"""

import threading
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan
from prometheus_client import Counter

from kit.telemetry.spans import Begun, Kind

CLOSE_S = 2.0
_SPANS = Counter("bulkhead_spans", "Spans by what became of them.", ["outcome"])
_KINDS: Mapping[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_NOWHERE = Context()


class Exporting:
    """Records spans with OpenTelemetry's SDK, which reads its own variables: endpoint, time-out,
    certificates, sampler, sizes of queue and batch."""

    def __init__(self, service: str, version: str) -> None:
        names = {
            "service.name": service,  # ours: one environment is often that of all programs
            "service.namespace": "bulkhead",
            "service.version": version,
        }
        self._provider = TracerProvider(
            resource=Resource.create(names),
            shutdown_on_exit=False,  # it would wait half a minute for a collector that hangs
            span_limits=SpanLimits(max_attribute_length=200),
        )
        self._provider.add_span_processor(BatchSpanProcessor(_Counted(_exporter())))
        self._tracer = self._provider.get_tracer("bulkhead", version)

    def begin(
        self, name: str, kind: Kind, parent: str, link: str, values: Mapping[str, str | int]
    ) -> Begun:
        """A span; without a `parent` the sampler decides whether its trace is kept."""
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(_remote(parent), _NOWHERE) if parent else _NOWHERE,
            kind=_KINDS[kind],
            attributes=values,
            links=[Link(_remote(link).get_span_context())] if link else None,
        )
        return _BegunSpan(span)

    def close(self) -> None:
        """Send what waits if the collector takes it at once."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_S)


class _BegunSpan:
    def __init__(self, span: SdkSpan) -> None:
        self._span = span
        context = span.get_span_context()
        flags = int(context.trace_flags)
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"

    def note(self, values: Mapping[str, str | int]) -> None:
        self._span.set_attributes(values)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def end(self, *, failed: bool) -> None:
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))
        if self._span.is_recording():
            _SPANS.labels("made").inc()
        self._span.end()


class _Counted(SpanExporter):
    """Says by a number what the SDK would say in a log, with the collector's words in it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        outcome = "sent" if result is SpanExportResult.SUCCESS else "failed"
        _SPANS.labels(outcome).inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _exporter() -> SpanExporter:
    session = requests.Session()
    session.trust_env = False  # no proxy, no password of some .netrc
    return OTLPSpanExporter(session=session)


def _remote(traceparent: str) -> NonRecordingSpan:
    _, trace_id, span_id, flags = traceparent.split("-")
    kept = TraceFlags(int(flags, 16))
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=kept)
    return NonRecordingSpan(context)
