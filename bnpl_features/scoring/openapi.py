"""The OpenAPI 3.1 document of the API, from the types that it reads and writes."""

from __future__ import annotations

from typing import Any

import msgspec

from bnpl_features import __version__
from bnpl_features.scoring.core import Prediction, Reasons
from bnpl_features.scoring.purchase import Batch, Purchase

_REF = "#/components/schemas/{name}"
_PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "field": {"type": "string", "description": "What in the purchase is wrong, such as purchases[3].amount."},
    },
    "required": ["title", "status", "detail"],
}
_PROBLEMS = {
    "400": "The body is no JSON, or the request id malformed.",
    "401": "No valid API key.",
    "413": "The body or the batch is too large.",
    "415": "The body is not application/json.",
    "422": "A field is wrong; `field` names it.",
    "503": "Overloaded, or no model is at hand.",
}


def document(most_in_batch: int) -> dict[str, Any]:
    """The document; `most_in_batch` is the configured limit."""
    (purchase, batch, prediction), components = msgspec.json.schema_components(
        (Purchase, Batch, Prediction), ref_template=_REF
    )
    components["Batch"]["properties"]["purchases"]["maxItems"] = most_in_batch
    components["Problem"] = _PROBLEM
    components["Predictions"] = {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": prediction}},
        "required": ["predictions"],
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BNPL scoring",
            "version": __version__,
            "description": "Probability of default of a purchase at checkout, with a decision and its reasons.",
        },
        "paths": {
            "/v1/score": {"post": _scoring("scoreOne", "Score one purchase", purchase, prediction)},
            "/v1/score/batch": {
                "post": _scoring(
                    "scoreBatch", "Score purchases from one version of the features", batch, _ref("Predictions")
                )
            },
            "/healthz": {"get": _probe("alive", "Whether the process answers", "application/json", ("200",))},
            "/readyz": {"get": _probe("ready", "Whether it can score", "application/json", ("200", "503"))},
            "/metrics": {"get": _probe("metrics", "Counts, in Prometheus's format", "text/plain", ("200",))},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    }


def _scoring(name: str, summary: str, takes: dict[str, Any], gives: dict[str, Any]) -> dict[str, Any]:
    problems = {
        status: {"description": text, "content": {"application/problem+json": {"schema": _ref("Problem")}}}
        for status, text in _PROBLEMS.items()
    }
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "reasons",
                "in": "query",
                "description": "For which purchases reasons are given.",
                "schema": {"type": "string", "enum": list(Reasons), "default": Reasons.NOT_APPROVED.value},
            },
            {
                "name": "X-Request-Id",
                "in": "header",
                "description": "Names the request in the answer and in the log; made where it is missing.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            },
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": takes}}},
        "responses": {
            "200": {"description": "Scored.", "content": {"application/json": {"schema": gives}}},
            **problems,
        },
    }


def _probe(name: str, summary: str, kind: str, statuses: tuple[str, ...]) -> dict[str, Any]:
    schema = {"type": "object"} if kind == "application/json" else {"type": "string"}
    answer = {"description": summary, "content": {kind: {"schema": schema}}}
    return {"operationId": name, "summary": summary, "responses": dict.fromkeys(statuses, answer)}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}
