"""A real receiver of OTLP/HTTP: it decodes what an exporter sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan


@dataclass
class Receiver:
    url: str
    bodies: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[SentSpan]:
        return [span for _, span in self._sent()]

    @property
    def services(self) -> set[str]:
        return {
            attribute.value.string_value
            for resource, _ in self._sent()
            for attribute in resource.attributes
            if attribute.key == "service.name"
        }

    def named(self, name: str) -> SentSpan:
        """The one span of that name."""
        [span] = [span for span in self.spans if span.name == name]
        return span

    def _sent(self) -> Iterator[tuple[Any, SentSpan]]:
        for body in list(self.bodies):
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    for span in scope.spans:
                        yield group.resource, span


def attributes(span: SentSpan) -> dict[str, object]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


@contextmanager
def receiver() -> Iterator[Receiver]:
    received = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
