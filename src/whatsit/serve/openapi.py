"""The description of the API in OpenAPI 3.1: made of the same tables that the server reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import __version__
from .questions import PARAMETERS
from .settings import Settings

_ERROR = {"$ref": "#/components/schemas/Error"}
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_PICTURE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

# Status → when. What a request can be refused with, whatever it asks.
REFUSALS = {
    "400": "No valid HTTP, or a form that cannot be read.",
    "401": "The key is missing or wrong.",
    "408": "The body did not come in time.",
    "413": "Too many bytes, or too many pictures.",
    "415": "The body is no picture by its type, or a picture of a kind that cannot be read here.",
    "422": "A picture that cannot be read or is too large, or a parameter that makes no sense.",
    "429": "Too many pictures are waiting: `Retry-After` says when to come back.",
    "500": "The model or the server failed.",
    "503": "The server starts or stops, or there was no answer in time.",
}


def document(settings: Settings, models: Sequence[str]) -> dict[str, Any]:
    """The whole document; `models` are the names that are served."""
    secured: list[Any] = [{"bearer": []}, {"key": []}] if settings.api_key is not None else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "whatsit",
            "version": __version__,
            "summary": "What is in the picture?",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/classify": {"post": _classify(models, secured)},
            "/v1/models": {"get": _models(secured)},
            "/healthz": {"get": _state("Whether the process answers.", "ok", ("503",))},
            "/readyz": {"get": _state("Whether pictures are taken.", "ready", ("500", "503"))},
            "/metrics": {"get": _metrics(secured)},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _classify(models: Sequence[str], secured: list[Any]) -> dict[str, Any]:
    kinds = ("image/*", "application/octet-stream")
    content: dict[str, Any] = {kind: {"schema": _PICTURE} for kind in kinds}
    pictures = {"type": "array", "items": _PICTURE, "minItems": 1}
    content["multipart/form-data"] = {
        "schema": {
            "type": "object",
            "required": ["picture"],
            "properties": {"picture": pictures},
            "additionalProperties": False,
        },
        "encoding": {"picture": {"contentType": "application/octet-stream"}},
    }
    either = {
        "oneOf": [
            {"$ref": "#/components/schemas/Result"},
            {"$ref": "#/components/schemas/Results"},
        ]
    }
    return {
        "operationId": "classify",
        "summary": "Say what is in one picture, or in several.",
        "description": "The body is one picture, or a form with a part for each of several, which "
        "are answered in their order; one that fails has its error in its place.",
        "parameters": _parameters(models),
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": _json("One result, or `results` for a form.", either),
            **_refusals(*REFUSALS),
        },
        "security": secured,
    }


def _parameters(models: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for name, parameter in PARAMETERS.items():
        schema = dict(parameter.schema)
        if name == "model":
            schema |= {"enum": list(models), "default": models[0]}
        row: dict[str, Any] = {
            "name": name,
            "in": "query",
            "description": parameter.about,
            "schema": schema,
        }
        if parameter.example is not None:
            row["example"] = parameter.example
        rows.append(row)
    return rows


def _models(secured: list[Any]) -> dict[str, Any]:
    return {
        "operationId": "models",
        "summary": "The models that are served, the first of which answers where none is named.",
        "responses": {
            "200": _json("Their facts.", {"$ref": "#/components/schemas/Models"}),
            **_refusals("401", "500", "503"),
        },
        "security": secured,
    }


def _metrics(secured: list[Any]) -> dict[str, Any]:
    return {
        "operationId": "metrics",
        "summary": "Counters and histograms for Prometheus.",
        "responses": {
            "200": {"description": "Their text.", "content": {"text/plain": {"schema": _TEXT}}},
            **_refusals("401", "500"),
        },
        "security": secured,
    }


def _state(summary: str, word: str, refusals: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": word}},
    }
    return {
        "operationId": word,
        "summary": summary,
        "responses": {"200": _json("It does.", schema), **_refusals(*refusals)},
        "security": [],
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refusals(*statuses: str) -> dict[str, Any]:
    found = {status: _json(REFUSALS[status], _ERROR) for status in statuses}
    for status in ("429", "503"):
        if status in found:
            found[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
    return found


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "null"}]}


def _schemas() -> dict[str, Any]:
    error = _object(dict.fromkeys(("code", "message", "expected", "hint"), _TEXT))
    ancestor = _object({"id": _TEXT, "label": _TEXT, "score": _NUMBER})
    prediction = _object({"index": {"type": "integer"}, "label": _TEXT, "score": _NUMBER})
    path = {"type": ["string", "null"], "description": "The name of the file, in a form."}
    result = _object(
        {
            "path": path,
            "model": _TEXT,
            "verdict": {"enum": ["sure", "ambiguous", "unknown"]},
            "set": _or_null({"type": "array", "items": _TEXT}),
            "broader": _or_null({"$ref": "#/components/schemas/Ancestor"}),
            "probably": _or_null({"$ref": "#/components/schemas/Ancestor"}),
            "predictions": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Prediction"},
            },
            "timings_ms": {"type": "object", "additionalProperties": _NUMBER},
        }
    )
    failed = _object({"path": path, "error": {"$ref": "#/components/schemas/Problem"}})
    either = {
        "oneOf": [
            {"$ref": "#/components/schemas/Result"},
            {"$ref": "#/components/schemas/Failed"},
        ]
    }
    return {
        "Problem": error,
        "Error": _object({"error": {"$ref": "#/components/schemas/Problem"}}),
        "Ancestor": ancestor,
        "Prediction": prediction,
        "Result": result,
        "Failed": failed,
        "Results": _object({"results": {"type": "array", "items": either}}),
        "Models": _object(
            {"whatsit": _TEXT, "models": {"type": "array", "items": _model_schema()}}
        ),
    }


def _model_schema() -> dict[str, Any]:
    texts = {"type": "array", "items": _TEXT}
    return _object(
        {
            "name": _TEXT,
            "default": {"type": "boolean"},
            "sha256": _TEXT,
            "size_bytes": {"type": "integer"},
            "classes": {"type": "integer"},
            "input": {"type": "array", "items": {"type": "integer"}},
            "preprocess": _TEXT,
            "runtime": _TEXT,
            "calibrated": {"type": "boolean"},
            "licence": {"type": ["string", "null"]},
            "accuracy": {"type": "array", "items": {"type": "object"}},
            "notes": texts,
        }
    )
