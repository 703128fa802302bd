"""Runs customers' templates of pushes: the side of the process that they run in.

Not here: what a template may do (sandbox), how values are escaped (pushes), the parent (confined).
"""

import json
import pickle
from collections.abc import Iterator, Mapping
from functools import lru_cache

from jinja2 import Template, TemplateError

from inbound.actions import PushForm
from templates.child import serve
from templates.pushes import check_body, finish, push_environment
from templates.render import TemplateBroken
from templates.sandbox import TemplateSandbox, check_source, run_template, said_of

_COMPILED = 64
_LARGEST = 4 * 2**20


@lru_cache(maxsize=_COMPILED)
def _compiled(form: PushForm, source: str) -> Template:
    environment = push_environment(TemplateSandbox, form)
    try:
        check_source(environment, source)
        return environment.from_string(source)
    except TemplateError as error:
        raise said_of(error, environment) from error


def write_push(form: PushForm, source: str, fields: Mapping[str, object]) -> str:
    """Return the body that a template makes of these fields. Raises TemplateBroken with a sentence for its author."""
    text = run_template(_compiled(form, source), source, _names(fields), fields, largest=_LARGEST)
    check_body(form, text)
    return finish(form, text)


def _names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        yield from _names(value[0] if value else None)


def _answer(request: bytes) -> bytes:
    form, source, fields = pickle.loads(request)  # noqa: S301  (our parent wrote it)
    try:
        answer = {"text": write_push(form, source, fields)}
    except TemplateBroken as broken:
        answer = {"problem": str(broken)}
    return json.dumps(answer).encode()


if __name__ == "__main__":
    serve(_answer)
