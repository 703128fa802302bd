"""The bodies of pushes: one engine for every form, our own templates and customers'.

A template writes the marks, and each value is escaped as its form demands: so a template can reorder, rename, add or
leave out fields and can't be broken by a text. Our own templates stand in templates/push. Not here: which fields there
are (push_fields), the sandbox of customers' own templates (push_sandbox), how a push travels (web.push).
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from urllib.parse import quote_plus
from xml.parsers import expat

from jinja2 import Environment, Template, Undefined
from markupsafe import escape

from inbound.actions import PushForm
from templates.render import TemplateBroken, environment_of

CONTENT_TYPES: Mapping[PushForm, str] = MappingProxyType(
    {
        PushForm.XML: "application/xml; charset=utf-8",
        PushForm.JSON: "application/json",
        PushForm.KEY_VALUE: "application/x-www-form-urlencoded",
        PushForm.SOAP: "text/xml; charset=utf-8",
    }
)
# Not allowed in XML 1.0 (§2.2), even as references.
_NO_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PAIR = re.compile(r"[!-%'-<>-~]+=[!-%'-~]*")
_STORED = "push-"
# For HTML, or escaping by themselves: here the form escapes.
_OTHER_FILTERS = ("e", "escape", "lines", "isolate")


def push_environment(kind: type[Environment], form: PushForm) -> Environment:
    """Return Jinja for the pushes of a form: it escapes each value that a template writes."""
    environment = environment_of(kind, autoescape=False)
    environment.finalize = _WRITERS[form]
    for name in _OTHER_FILTERS:
        del environment.filters[name]
    return environment


def standard_body(form: PushForm, name: str, fields: Mapping[str, object]) -> bytes:
    """Return the body of our own template `name` («inbound», «status»)."""
    return finish(form, _compiled(form, name).render(fields)).encode("utf-8", "replace")


def stored_form(form: PushForm) -> str:
    """Return the word for a form where templates of mails stand beside it."""
    return f"{_STORED}{form}"


def form_stored_as(word: str) -> PushForm:
    """Return the form of such a word."""
    return PushForm(word.removeprefix(_STORED))


def standard_push_template(form: PushForm, name: str) -> str:
    """Return the source of our own template, from which customers start theirs."""
    return (files("templates") / "push" / f"{name}.{form}").read_text("utf-8")


@cache
def _compiled(form: PushForm, name: str) -> Template:
    return push_environment(Environment, form).from_string(standard_push_template(form, name))


def finish(form: PushForm, text: str) -> str:
    """Return a body as it is sent: the lines of a key-value body are its pairs."""
    if form is PushForm.KEY_VALUE:
        return "&".join(_pairs(text))
    return text


def check_body(form: PushForm, text: str) -> None:
    """Raise TemplateBroken with a sentence for the author of a template whose body is not of its form."""
    _CHECKS[form](text)


def _pairs(text: str) -> list[str]:
    return [pair for line in text.splitlines() for pair in line.strip().split("&") if pair]


def _plain(value: object) -> str:
    """Return a value as text: nothing for none, true and false in small letters."""
    if isinstance(value, Undefined):
        return str(value)  # it raises
    if isinstance(value, list | dict):
        raise TypeError("a list can't be written as one value: write its fields in a loop")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _write_xml(value: object) -> str:
    text = _NO_CHARACTER.sub("\ufffd", _plain(value))
    # A reader would take a bare carriage return for a line feed (XML 1.0 §2.11).
    return str(escape(text)).replace("\r", "&#13;")


def _write_json(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)  # it raises
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write_url(value: object) -> str:
    return quote_plus(_plain(value), errors="replace")


def _check_xml(text: str) -> None:
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}: {expat.ErrorString(error.code)}"
        raise TemplateBroken(f"what it makes is no XML; its {where}") from None


def _refuse_doctype(*_: object) -> None:
    raise TemplateBroken("a push has no DOCTYPE")


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TemplateBroken(f"what it makes is no JSON: {error}. A value brings its own quotes") from None


def _check_pairs(text: str) -> None:
    pairs = _pairs(text)
    wrong = next((pair for pair in pairs if not _PAIR.fullmatch(pair)), None)
    if wrong is not None or not pairs:
        raise TemplateBroken(f"what it makes has a line that is no name=value, encoded as in a URL: {wrong or 'none'}")


_WRITERS: Mapping[PushForm, Callable[[object], str]] = MappingProxyType(
    {
        PushForm.XML: _write_xml,
        PushForm.JSON: _write_json,
        PushForm.KEY_VALUE: _write_url,
        PushForm.SOAP: _write_xml,
    }
)
_CHECKS: Mapping[PushForm, Callable[[str], None]] = MappingProxyType(
    {
        PushForm.XML: _check_xml,
        PushForm.JSON: _check_json,
        PushForm.KEY_VALUE: _check_pairs,
        PushForm.SOAP: _check_xml,
    }
)
