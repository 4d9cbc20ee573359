"""HTTP over the service: plain ASGI; frameworks cost more than the score (docs/decisions/0030-plain-asgi.md)."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs

import msgspec

from bnpl_features.errors import ModelInputError
from bnpl_features.scoring.core import NoModel, Prediction, Reasons
from bnpl_features.scoring.exposition import metrics_of
from bnpl_features.scoring.keys import name_of
from bnpl_features.scoring.openapi import document
from bnpl_features.scoring.problems import JSON, Answer, Refused, detail_of, problem_of, too_large
from bnpl_features.scoring.purchase import NotJson, parse_batch, parse_purchase
from bnpl_features.scoring.service import Service
from bnpl_features.telemetry.exposition import CONTENT_TYPE
from bnpl_features.telemetry.tracing import UNTRACED, Span

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_BODY_BYTES = 1_048_576
MOST_IN_BATCH = 500
MOST_IN_FLIGHT = 512
"""Beyond it requests are turned away at once: one that waits for half a second is of no use to a checkout."""

_DISCARDED = 4  # times the limit: a body of up to that size is read to its end before it is refused

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOG = logging.getLogger("bnpl_features.scoring")


class BatchPredictions(msgspec.Struct, frozen=True):
    """One prediction a purchase, in the order of the request."""

    predictions: list[Prediction]


class Limits(msgspec.Struct, frozen=True):
    body_bytes: int = MOST_BODY_BYTES
    batch: int = MOST_IN_BATCH
    in_flight: int = MOST_IN_FLIGHT


class Gone(Exception):
    """Whoever asked went away before the request was whole."""


_encode = msgspec.json.Encoder().encode
_PATHS = {
    "/v1/score": "POST",
    "/v1/score/batch": "POST",
    "/healthz": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
    "/openapi.json": "GET",
}


class Application:
    """The ASGI application of one service."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.service = service
        self._limits = limits
        self._document = _encode(document(limits.batch))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.monotonic()
        path = scope["path"]
        headers = scope["headers"]
        request_id = ""
        self.service.in_flight += 1
        try:
            with self._traced(path, headers) as span:
                try:
                    request_id = self._request_id(headers)
                    answer = await self._answer(scope, path, headers, receive, request_id)
                except Refused as refused:
                    answer = problem_of(refused, request_id)
                except Gone:
                    return
                except Exception:
                    _LOG.exception("a request failed", extra={"fields": {"request_id": request_id, "path": path}})
                    detail = "the failure is in the log under this request id; ask again"
                    answer = problem_of(Refused(500, "internal failure", detail), request_id)
                if span.is_recording:
                    _describe(span, path, request_id, answer)
                await self._send(send, answer, request_id)
        finally:
            self.service.in_flight -= 1
        self.service.measures.answered(path if path in _PATHS else "other", answer.status, time.monotonic() - started)

    def _traced(self, path: str, headers: list[tuple[bytes, bytes]]) -> AbstractContextManager[Span]:
        """The caller's trace goes on; health and metrics are not traced."""
        tracer = self.service.tracer
        if tracer is UNTRACED or not path.startswith("/v1/score"):
            return UNTRACED.span(path)
        parent = next((value.decode("latin-1") for name, value in headers if name == b"traceparent"), "")
        return tracer.span(f"POST {path if path in _PATHS else '/v1/score'}", parent, is_request=True)

    async def _answer(
        self, scope: Scope, path: str, headers: list[tuple[bytes, bytes]], receive: Receive, request_id: str
    ) -> Answer:
        method = _PATHS.get(path)
        if method is None:
            raise Refused(404, "not found", "there is no such path; /openapi.json describes those that there are")
        if scope["method"] != method:
            raise Refused(405, "method not allowed", f"use {method}", allow=method)
        if path == "/v1/score" or path == "/v1/score/batch":
            return await self._score(path == "/v1/score/batch", scope, headers, receive, request_id)
        if path == "/healthz":
            return Answer(200, b'{"status":"alive"}')
        if path == "/readyz":
            return self._readiness()
        if path == "/metrics":
            return Answer(200, metrics_of(self.service), CONTENT_TYPE)
        return Answer(200, self._document)

    async def _score(
        self, is_batch: bool, scope: Scope, headers: list[tuple[bytes, bytes]], receive: Receive, request_id: str
    ) -> Answer:
        given = dict(headers)
        self._require_key(given)
        if self.service.in_flight > self._limits.in_flight:
            raise Refused(503, "overloaded", "too many requests are being answered; ask again", **{"retry-after": "1"})
        reasons = _reasons(scope["query_string"])
        kind = given.get(b"content-type", JSON).partition(b";")[0].strip().lower()
        if kind != JSON:
            raise Refused(415, "unsupported media type", "send application/json")
        body = await self._body(given, receive)
        try:
            purchases = parse_batch(body) if is_batch else (parse_purchase(body),)
            if len(purchases) > self._limits.batch:
                detail = f"{len(purchases)} purchases are more than {self._limits.batch}; send several batches"
                raise Refused(413, "batch too large", detail)
            predictions = await self.service.predict(purchases, request_id, reasons)
        except NotJson as error:
            raise Refused(400, "not JSON", str(error)) from error
        except ModelInputError as error:
            raise Refused(422, "invalid purchase", detail_of(error), error.column) from error
        except NoModel as error:
            detail = "no model is at hand yet; promote one, or look at the log"
            raise Refused(503, "no model", detail, **{"retry-after": "5"}) from error
        return Answer(200, _encode(BatchPredictions(predictions) if is_batch else predictions[0]))

    def _require_key(self, headers: dict[bytes, bytes]) -> None:
        keys = self.service.changing.keys
        if keys is None:
            return
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if name_of(keys.value, authorization) is None:
            detail = "send a valid API key as `Authorization: Bearer KEY`"
            raise Refused(401, "unauthorized", detail, **{"www-authenticate": "Bearer"})

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        limit = self._limits.body_bytes
        stated = headers.get(b"content-length", b"0")
        if stated.isdigit() and int(stated[:20]) > limit:
            # Whoever is still sending when the connection closes never sees the answer.
            while int(stated[:20]) <= _DISCARDED * limit and (await receive()).get("more_body"):
                pass
            raise too_large(limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            chunks = [body]
            size = len(body)
            while message.get("more_body"):
                message = await receive()
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > limit:
                    raise too_large(limit)
            body = b"".join(chunks)
        if message["type"] == "http.disconnect":
            raise Gone
        if len(body) > limit:
            raise too_large(limit)
        return body

    def _request_id(self, headers: list[tuple[bytes, bytes]]) -> str:
        for name, value in headers:
            if name == b"x-request-id":
                text = value.decode("latin-1")
                if not _REQUEST_ID.fullmatch(text):
                    detail = "X-Request-Id may have letters, digits, dots, - and _, at most 64"
                    raise Refused(400, "malformed request id", detail)
                return text
        return self.service.next_request_id()

    def _readiness(self) -> Answer:
        """Ready is who can score: a store that is down is no reason to turn purchases away."""
        service = self.service
        models = service.changing.models.value
        served = service.store.served
        is_ready = models.can_score and not service.is_draining
        state = {
            "status": "ready" if is_ready else "draining" if service.is_draining else "no model",
            "models": {one.name: one.version for one in models.champions.values()},
            "feature_version": served.manifest.version if served else None,
            "store": "confirmed" if service.store.lookups.follower.age_seconds < 30 else "not confirmed",
            "mismatches": models.mismatches,
        }
        return Answer(200 if is_ready else 503, _encode(state))

    async def _send(self, send: Send, answer: Answer, request_id: str) -> None:
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", request_id.encode()),
            *answer.headers,
        ]
        if self.service.is_draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _describe(span: Span, path: str, request_id: str, answer: Answer) -> None:
    span.set("http.request.method", "POST")
    span.set("http.route", path if path in _PATHS else "")
    span.set("http.response.status_code", answer.status)
    span.set("bnpl.request_id", request_id)
    if answer.status >= 500:
        span.fail(str(answer.status))


def _reasons(query: bytes) -> Reasons:
    if not query:
        return Reasons.NOT_APPROVED
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    unknown = sorted(set(given) - {"reasons"})
    try:
        if unknown or len(given["reasons"]) != 1:
            raise ValueError
        return Reasons(given["reasons"][0])
    except ValueError as error:
        detail = f"the one query parameter is reasons, one of {', '.join(Reasons)}"
        raise Refused(422, "invalid query", detail, "reasons") from error
