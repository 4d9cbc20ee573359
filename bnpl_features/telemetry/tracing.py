"""Spans, as the code that is traced sees them. Where nobody traces, one costs a call that does nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

Attribute = str | int | float | bool


class Span(Protocol):
    """A piece of work; never give it a customer's id, a purchase or a secret."""

    @property
    def is_recording(self) -> bool:
        """Whether attributes are worth computing."""
        ...

    def set(self, name: str, value: Attribute | None) -> None:
        """An attribute; None is not set."""
        ...

    def fail(self, kind: str) -> None:
        """It went wrong; `kind` names the error, without what it was about."""
        ...


class Tracer(Protocol):
    def span(self, name: str, parent: str = "", *, is_request: bool = False) -> AbstractContextManager[Span]:
        """A span around the block: of the trace that the W3C traceparent `parent` names, otherwise of the span around
        it, otherwise of a new trace. An exception that leaves the block fails it. `is_request`: somebody waits for it.
        """
        ...

    def traceparent(self) -> str:
        """The span around the caller, for another process to continue; empty where there is none."""
        ...


class _NoSpan:
    is_recording = False

    def set(self, name: str, value: Attribute | None) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _NoTracer:
    def span(self, name: str, parent: str = "", *, is_request: bool = False) -> _NoSpan:
        return _NO_SPAN

    def traceparent(self) -> str:
        return ""


_NO_SPAN = _NoSpan()
UNTRACED: Tracer = _NoTracer()
