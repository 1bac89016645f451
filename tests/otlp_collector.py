"""A collector of spans: a real HTTP server that decodes what OTLP exporters send; it may hang."""

import contextlib
import gzip
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

KINDS = ("", "internal", "server", "client", "producer", "consumer")
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Link:
    trace: str
    span: str


@dataclass(frozen=True)
class Collected:
    """A span as it arrived; ids in hexadecimal digits."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[Link, ...]
    attributes: dict[str, str | int]
    failed: bool
    message: str
    events: int

    @property
    def place(self) -> str:
        """Its traceparent without the flags."""
        return f"00-{self.trace}-{self.id}-"


@dataclass
class Collector:
    """What has come so far; `raw` is every byte of it. While it `hangs` nothing is answered."""

    url: str = ""
    spans: list[Collected] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    asked: int = 0
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def hang(self) -> None:
        self.goes_on.clear()

    def named(self, name: str, service: str = "") -> list[Collected]:
        return [one for one in self.spans if one.name == name and service in ("", one.service)]

    def one(self, name: str, service: str = "") -> Collected:
        (found,) = self.named(name, service)
        return found

    def of(self, trace: str) -> list[Collected]:
        return [one for one in self.spans if one.trace == trace]

    def take(self, head: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.heads.append(head)
        self.raw.append(body)
        self.spans.extend(_spans(request))


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            collector.asked += 1
            body = self.rfile.read(min(int(self.headers["content-length"]), MOST_BYTES))
            collector.goes_on.wait()
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(f"{self.path}\n{self.headers}", body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.goes_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Collected]:
    for of_resource in request.resource_spans:
        resource = _values(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                links = (Link(one.trace_id.hex(), one.span_id.hex()) for one in span.links)
                yield Collected(
                    service=str(resource["service.name"]),
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=tuple(links),
                    attributes=_values(span.attributes),
                    failed=span.status.code == 2,
                    message=span.status.message,
                    events=len(span.events),
                )


def _values(attributes: Iterable[KeyValue]) -> dict[str, str | int]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in attributes}
