"""Compiles customers' templates: inlines their CSS once, and runs them in a sandbox.

This is the side of the process that they run in; nothing else loads this file, since the inliner costs a fifth of the
gateway's start. So `make example` inlines the standard status mail. The only file that knows premailer. Not here: what
a template sees (templates.view), the sandbox (templates.sandbox), our own templates (templates.render), how Jinja's
tags pass the inliner (templates.inlining), the parent (templates.confined).
"""

import json
import pickle
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, islice
from typing import Any

import cssutils  # type: ignore[import-untyped]  # it has no types
from jinja2 import Environment, Template, TemplateError
from premailer import Premailer

from templates.brand import BrandView
from templates.child import serve
from templates.inbound_view import ExchangedView, InboundView
from templates.inlining import NotInlinable, Piece, inline_once
from templates.markup import find_unfit, line_of
from templates.render import LARGEST_HTML, TemplateBroken, View, environment_of
from templates.sandbox import TemplateSandbox, check_source, run_template, said_of
from templates.second_judge import find_differences
from templates.view import Fact, PartView, RecipientView, ReplacedView, StatusView

_COMPILED = 64
_VIEWS = frozenset({StatusView, RecipientView, PartView, ReplacedView, Fact, InboundView, ExchangedView, BrandView})
_NAMES = {"m"} | {name for view in _VIEWS for name in dir(view) if not name.startswith("_")}
_VALUE = "JINJAVALUE"  # stands in a source for a value that is known only when a mail is made
_TOLD = 10


class _Sandbox(TemplateSandbox):
    plain = _VIEWS


def html_environment() -> Environment:
    """Return the sandbox for customers' templates."""
    return environment_of(_Sandbox, autoescape=True)


class _Inliner(Premailer):  # type: ignore[misc]  # premailer has no types
    """premailer with a CSS parser that cannot fetch: `allow_network` does not cover its `@import`."""

    def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:  # noqa: FBT001, FBT002  (premailer's own)
        return cssutils.CSSParser(fetcher=_fetch_nothing, validate=validate).parseString(css_body)


def _fetch_nothing(_url: str) -> None:
    return None


def inline_css(html: str) -> str:
    """Return HTML with the rules of its style elements in style attributes; fetches and opens nothing."""
    return str(
        _Inliner(
            html,
            allow_network=False,
            allow_loading_external_files=False,
            disable_link_rewrites=True,
            keep_style_tags=False,
            strip_important=True,
            disable_validation=True,
            cssutils_logging_level=_SILENT,
        ).transform(pretty_print=False)
    )


_SILENT = 60


def compile_html(environment: Environment, source: str) -> Template:
    """Return an HTML template with its CSS inlined. Raises TemplateBroken with a sentence for its author."""
    try:
        check_source(environment, source)
        plain = _plain(environment, source)
        unfit = islice(find_unfit(plain, _VALUE), _TOLD)
        if problems := [f"line {line_of(plain, position)}: {sentence}" for position, sentence in unfit]:
            raise TemplateBroken("; ".join(dict.fromkeys(problems)))
        return environment.from_string(inline_template(environment, source))
    except TemplateError as error:
        raise said_of(error, environment) from error
    except NotInlinable as error:
        raise TemplateBroken(str(error)) from error


def inline_template(environment: Environment, source: str) -> str:
    """Return the source of a template with its CSS inlined. Raises NotInlinable, and TemplateError of jinja2."""
    return inline_once(_pieces(environment, source), inline_css)


def _plain(environment: Environment, source: str) -> str:
    """Return the HTML of a source line by line, without Jinja's tags and with a word for each value."""
    ends = {"block_begin": "block_end", "variable_begin": "variable_end", "comment_begin": "comment_end"}
    until = ""
    plain: list[str] = []
    for _, kind, value in environment.lex(source):
        if until or kind in ends:
            plain.append((_VALUE if kind == "variable_begin" else "") + "\n" * value.count("\n"))
            until = ends.get(kind, "" if kind == until else until)
        else:
            plain.append(value)
    return "".join(plain)


def _pieces(environment: Environment, source: str) -> Iterable[Piece]:
    """Yield HTML and whole tags of a template in order, by Jinja's own lexer, without Jinja's comments."""
    ends = {"block_begin": "block_end", "variable_begin": "variable_end", "comment_begin": "comment_end"}
    until = ""
    parts: list[str] = []
    for _, kind, value in environment.lex(source):
        if until:
            parts.append(value)
            if kind == until:
                if until != "comment_end":
                    yield Piece("".join(parts), is_tag=True, is_block=until == "block_end")
                until = ""
        elif kind in ends:
            until, parts = ends[kind], [value]
        else:
            yield Piece(value, is_tag=False)


class CustomerTemplates:
    """Compiles and renders customers' templates in this process; templates.confined starts one for it."""

    def __init__(self, *, largest: int) -> None:
        """Bound the characters that one template writes."""
        self._environment = html_environment()
        self._largest = largest
        self._compiled = lru_cache(maxsize=_COMPILED)(self._compile)

    def _compile(self, source: str) -> Template:
        return compile_html(self._environment, source)

    def html(self, source: str, view: View) -> str:
        """Return the HTML of a template. Raises TemplateBroken for faults that the author can mend."""
        html = run_template(self._compiled(source), source, _NAMES, {"m": view}, largest=self._largest)
        for position, sentence in chain(find_unfit(html), find_differences(html)):
            line = line_of(html, position)
            raise TemplateBroken(f"the mail that it makes is not fit to be sent; its line {line}: {sentence}")
        return html


def main() -> None:
    """Answer requests for the HTML of templates until the parent ends."""
    templates = CustomerTemplates(largest=2 * LARGEST_HTML)
    serve(lambda request: _answer(templates, request))


def _answer(templates: CustomerTemplates, request: bytes) -> bytes:
    source, view = pickle.loads(request)  # noqa: S301  (our parent wrote it)
    try:
        answer = {"text": templates.html(source, view)}
    except TemplateBroken as broken:
        answer = {"problem": str(broken)}
    except Exception as error:  # noqa: BLE001  (parsers of HTML and CSS fail in many ways on what customers write)
        answer = {"problem": f"its HTML or CSS can't be read ({type(error).__name__})"}
    return json.dumps(answer).encode()


if __name__ == "__main__":
    main()
