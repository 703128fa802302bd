"""The description of REST version 2 as OpenAPI 3.1, made of its table of calls and of its shapes.

`python -m web.api_v2.description` prints it. Not here: the page that people read (page).
"""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from web.api_v2.calls import CallParameter, Operation
from web.api_v2.operations import OPERATIONS
from web.api_v2.problem_types import BASE
from web.api_v2.shapes import ProblemAnswer
from web.problems import PROBLEM_TYPE

VERSION = "2.0.0"
_SHAPES = (
    ProblemAnswer,
    *(item.answer for item in OPERATIONS),
    *(item.body for item in OPERATIONS if item.body is not None),
)

_HEADERS = {
    "RateLimit-Policy": ("string", 'The limits that bind the caller: `"NAME";q=AMOUNT;qu="UNIT";w=SECONDS`.'),
    "RateLimit": ("string", 'What is left of each: `"NAME";r=LEFT;t=SECONDS`, until there is more.'),
    "Retry-After": ("integer", "When it may be tried again, in seconds."),
}


def describe() -> dict[str, Any]:
    """Return the description (OpenAPI 3.1.1)."""
    _, schemas = msgspec.json.schema_components(dict.fromkeys(_SHAPES), ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe_call(operation)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "mail2sms",
            "version": VERSION,
            "description": "Send SMS and read what became of them. 201 means kept: a job survives a crash and ends in a"
            f" state that can be asked for. Problems have a type each, explained at {BASE}/problems.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"password": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: mail2sms login add-key"},
                "password": {"type": "http", "scheme": "basic", "description": "A login: mail2sms login add"},
            },
            "headers": {
                name: {"description": description, "schema": {"type": kind}}
                for name, (kind, description) in _HEADERS.items()
            },
            "schemas": schemas,
        },
    }


def print_description() -> None:
    """Print the description as JSON for a file."""
    print(json.dumps(describe(), ensure_ascii=False, indent=2))  # noqa: T201 - its one task


def _describe_call(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope}`.",
        "parameters": [_describe_parameter(item) for item in operation.parameters],
        "responses": {str(status): _describe_answer(operation, status) for status in sorted(operation.statuses)},
    }
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _refer(operation.body)}}}
    return told


def _describe_parameter(parameter: CallParameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _describe_answer(operation: Operation, status: int) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _headers_of(status)}
    if status == operation.status:
        shape, kind, description = operation.answer, "application/json", "Done"
    else:
        shape, kind, description = ProblemAnswer, PROBLEM_TYPE, HTTPStatus(status).phrase
    return {"description": description, "headers": headers, "content": {kind: {"schema": _refer(shape)}}}


def _headers_of(status: int) -> Iterator[str]:
    """Yield the headers of an answer, beside those of HTTP in general."""
    if status != 401:
        yield from ("RateLimit-Policy", "RateLimit")
    if status in {429, 503}:
        yield "Retry-After"


def _refer(shape: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


if __name__ == "__main__":
    print_description()
