"""The pages of REST version 2 for people: its description, and a page for each type of problem.

They are plain HTML without style or script, which any content policy allows. Not here: what they say (description,
problem_types).
"""

from collections.abc import Iterable
from html import escape
from typing import Any

from web.api_v2.problem_types import BASE, PROBLEM_TYPES, ProblemType


def description_page(description: dict[str, Any]) -> str:
    """Return the description as a page."""
    info = description["info"]
    calls = [
        line
        for path, methods in description["paths"].items()
        for method, call in methods.items()
        for line in _call_lines(method.upper(), path, call)
    ]
    shapes = [
        line for name, schema in description["components"]["schemas"].items() for line in _shape_lines(name, schema)
    ]
    links = f'<p><a href="{BASE}/openapi.json">OpenAPI</a> · <a href="{BASE}/problems">Problems</a></p>'
    said = f"<p>{escape(info['description'])}</p>"
    title = f"{info['title']}: REST version 2"
    return _page(title, [said, links, "<h2>Calls</h2>", *calls, "<h2>Shapes</h2>", *shapes])


def problems_page() -> str:
    """Return the list of all types."""
    rows = [
        f'<tr><td><a href="{item.address}">{item.slug}</a></td><td>{item.status}</td><td>{escape(item.title)}</td></tr>'
        for item in PROBLEM_TYPES.values()
    ]
    return _page("Problems", ["<table><tr><th>type</th><th>status</th><th>title</th></tr>", *rows, "</table>"])


def problem_page(kind: ProblemType) -> str:
    """Return the page of a type."""
    return _page(
        kind.title,
        [
            f"<p>Status {kind.status}, type <code>{escape(kind.address)}</code></p>",
            f"<h2>Cause</h2><p>{escape(kind.cause)}</p>",
            f"<h2>Remedy</h2><p>{escape(kind.remedy)}</p>",
            f'<p><a href="{BASE}/problems">All problems</a></p>',
        ],
    )


def _call_lines(method: str, path: str, call: dict[str, Any]) -> Iterable[str]:
    yield f'<h3 id="{escape(call["operationId"])}"><code>{method} {escape(path)}</code></h3>'
    yield f"<p>{escape(call['summary'])}. {escape(call['description'])}</p>"
    if call["parameters"]:
        yield "<table><tr><th>parameter</th><th>in</th><th>what it is</th></tr>"
        for item in call["parameters"]:
            yield f"<tr><td>{escape(item['name'])}</td><td>{item['in']}</td><td>{escape(item['description'])}</td></tr>"
        yield "</table>"
    if "requestBody" in call:
        yield f"<p>Body: {_link(call['requestBody'])}</p>"
    answers = (f"{status}: {_link(answer)}" for status, answer in call["responses"].items())
    yield f"<p>Answers: {', '.join(answers)}</p>"


def _shape_lines(name: str, schema: dict[str, Any]) -> Iterable[str]:
    yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>'
    yield "<table><tr><th>member</th><th>type</th><th>needed</th><th>what it is</th></tr>"
    for member, kind in schema["properties"].items():
        needed = "yes" if member in schema["required"] else ""
        said = escape(kind.get("description", ""))
        yield f"<tr><td>{escape(member)}</td><td>{_type_of(kind)}</td><td>{needed}</td><td>{said}</td></tr>"
    yield "</table>"


def _type_of(kind: dict[str, Any]) -> str:
    """Return the words for a schema's type."""
    if "$ref" in kind:
        return _refer(kind["$ref"])
    if "anyOf" in kind:
        return " or ".join(_type_of(item) for item in kind["anyOf"])
    if kind.get("type") == "array":
        return f"list of {_type_of(kind['items'])}"
    if kind.get("type") == "object":
        return f"object of {_type_of(kind['additionalProperties'])}"
    return escape(str(kind.get("format", kind.get("type", ""))))


def _link(described: dict[str, Any]) -> str:
    (content,) = described["content"].values()
    return _refer(content["schema"]["$ref"])


def _refer(address: str) -> str:
    name = escape(address.rpartition("/")[2])
    return f'<a href="#{name}">{name}</a>'


def _page(title: str, lines: Iterable[str]) -> str:
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
    return "\n".join([head, f"<body><h1>{escape(title)}</h1>", *lines, "</body></html>\n"])
