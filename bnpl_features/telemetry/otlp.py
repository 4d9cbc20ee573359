"""Spans by OpenTelemetry's SDK, sent over OTLP/HTTP; headers, sampler and batches are as its own variables say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bnpl_features import __version__
from bnpl_features.telemetry.tracing import Attribute, Span, Tracer

_PROPAGATOR = TraceContextTextMapPropagator()
_KINDS = {True: trace.SpanKind.SERVER, False: trace.SpanKind.INTERNAL}


@contextmanager
def exporting(service_name: str, endpoint: str = "") -> Iterator[Tracer]:
    """A tracer whose spans are all sent when the block ends. `endpoint` is the full URL; empty is the SDK's choice.

    It belongs to the block: nothing global is set, so what else traces in this process does not meet it.
    """
    resource = Resource.create({"service.name": service_name, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint or None)))
    try:
        yield _Tracer(provider.get_tracer("bnpl_features", __version__))
    finally:
        provider.shutdown()


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def is_recording(self) -> bool:
        return self._span.is_recording()

    def set(self, name: str, value: Attribute | None) -> None:
        if value is not None:
            self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)


class _Tracer:
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(self, name: str, parent: str = "", *, is_request: bool = False) -> Iterator[Span]:
        context = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
        # The SDK would record the message of an exception, which may quote what was asked.
        with self._tracer.start_as_current_span(
            name, context, _KINDS[is_request], record_exception=False, set_status_on_exception=False
        ) as started:
            span = _Span(started)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise

    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent", "")
