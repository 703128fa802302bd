"""Turns a report into the words of a status mail: sandboxed Jinja templates, their CSS inlined when they are compiled.

The only file that knows jinja2 and premailer. Not here: what a template sees (templates.view), MIME
(mta.sending.compose). A template has no way to the network, to files, to other templates or to Python; time and memory
of customers' own templates are bounded by the process they run in (templates.confined), not by this file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Protocol

import cssutils  # type: ignore[import-untyped]  # it has no types
from jinja2 import Environment, StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape
from premailer import Premailer

from sms.report import JobReport, NoticeKind
from templates.inlining import NotInlinable, Piece, inline_once
from templates.view import Fact, PartView, RecipientView, ReplacedView, StatusView, view_report
from templates.words import Dictionary, Words

ROWS = 150
LARGEST_HTML = 95_000  # Gmail cuts what follows 102 KB
LARGEST_SOURCE = 64_000
_COMPILED = 64

# Filters that neither build large strings from small ones nor mark text as safe.
_FILTERS = frozenset(
    {"capitalize", "count", "d", "default", "e", "escape", "first", "int", "join", "last", "length", "lower", "replace"}
    | {"reverse", "round", "sort", "string", "title", "trim", "truncate", "upper", "wordcount"}
)
_VIEWS = frozenset({StatusView, RecipientView, PartView, ReplacedView, Fact})
_TEXT_METHODS = frozenset({"startswith", "endswith", "upper", "lower", "strip"})
_FORBIDDEN = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The words of one mail; `text` has line feeds. `fallback` says why a customer's own template was not used."""

    subject: str
    html: str
    text: str
    language: str
    fallback: str = ""


class Confinement(Protocol):
    """What runs customers' templates in bounds; templates.confined has the one that can be killed."""

    def run(self, source: str, view: StatusView) -> str:
        """Return the HTML of a customer's template. Raises TemplateBroken for every way in which it can fail."""


class TemplateBroken(Exception):  # noqa: N818  (reads as the sentence it carries)
    """A template can't be used; the message says why, for its author."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with less in it: no globals, few filters, no text methods or operators that multiply."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if type(obj) in _VIEWS:
            return not attr.startswith("_")  # plain data: the general answer costs more than the rest of a mail
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if not numbers or operator == "**":
            raise SecurityError(f"the operator {operator} is only for numbers here, and ** for nothing")
        return super().call_binop(context, operator, left, right)


def html_environment() -> Environment:
    """Return the sandbox in which every HTML template is compiled, ours and customers'."""
    return _environment(autoescape=True)


def _environment(*, autoescape: bool) -> Environment:
    environment = _Sandbox(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        auto_reload=False,
        cache_size=0,
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in sorted(_FILTERS)}
    environment.filters["lines"] = _lines
    environment.filters["isolate"] = _isolate
    environment.tests = {name: environment.tests[name] for name in ("defined", "none", "eq", "ne", "in", "gt", "lt")}
    return environment


def _lines(text: str) -> Markup:
    """Return text as HTML in which line ends and runs of blanks stay, even in Word's engine (no `white-space`)."""
    html = str(escape(text)).replace("\n", "<br>\n")
    while "  " in html:
        html = html.replace("  ", "\u00a0 ")
    return Markup(html)  # noqa: S704  (everything in it was escaped above)


def _isolate(text: str, margin: str = "") -> str:
    """Return text whose every line is a first-strong isolate of its own (UAX #9 §2.4.2), with a margin in front."""
    if text.isascii():
        return "\n".join(margin + line for line in text.split("\n"))
    return "\n".join(f"{margin}\u2068{line}\u2069" for line in text.split("\n"))


class _Inliner(Premailer):  # type: ignore[misc]  # premailer has no types
    """premailer with a CSS parser that can fetch nothing: `allow_network` does not reach its `@import`."""

    def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:  # noqa: FBT001, FBT002  (premailer's own)
        return cssutils.CSSParser(fetcher=_fetch_nothing, validate=validate).parseString(css_body)


def _fetch_nothing(_url: str) -> None:
    return None


def inline_css(html: str) -> str:
    """Return HTML with the rules of its style elements in style attributes; nothing is fetched or opened."""
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


class Renderer:
    """Renders every kind of notice in every language; compiles each template once."""

    def __init__(self, *, confinement: Confinement | None = None, rows: int = ROWS) -> None:
        """Compile the standard templates. Without a confinement customers' own templates are never run."""
        self._dictionary = Dictionary()
        self._confinement = confinement
        self._rows = rows
        self._html = compile_html(html_environment(), standard_template())
        self._text = _environment(autoescape=False).from_string(_standard("status.txt"))

    def render(self, kind: NoticeKind, report: JobReport, *, override: str | None = None) -> Rendered:
        """Return the words of a status mail; never fails for a customer's own template, `fallback` names its fault."""
        rows = self._rows
        while True:
            view = self.view(kind, report, rows=rows)
            html, fallback = self._html_of(view, override)
            if len(view.recipients) <= 1 or _fits(html):
                break
            rows = len(view.recipients) // 2
        return Rendered(
            subject=view.subject, html=html, text=self._text.render(m=view), language=view.language, fallback=fallback
        )

    def _html_of(self, view: StatusView, override: str | None) -> tuple[str, str]:
        if override is not None:
            try:
                return self._confined(override, view), ""
            except TemplateBroken as broken:
                return self._html.render(m=view), str(broken)
        return self._html.render(m=view), ""

    def _confined(self, source: str, view: StatusView) -> str:
        if self._confinement is None:
            raise TemplateBroken("customers' own templates are switched off")
        return self._confinement.run(source, view)

    def view(self, kind: NoticeKind, report: JobReport, *, rows: int | None = None) -> StatusView:
        """Return what a template sees of this report."""
        words = self._dictionary.words(report.settings.language)
        return view_report(kind, report, words, rows=self._rows if rows is None else rows)

    def words(self, tag: str) -> Words:
        """Return the sentences of a language, for the prose of DSNs."""
        return self._dictionary.words(tag)


def _fits(html: str) -> bool:
    return len(html) <= LARGEST_HTML // 4 or len(html.encode("utf-8", "replace")) <= LARGEST_HTML


def compile_html(environment: Environment, source: str) -> Template:
    """Return an HTML template with its CSS inlined. Raises TemplateBroken with a sentence for its author."""
    if len(source) > LARGEST_SOURCE:
        raise TemplateBroken(f"the template has {len(source)} characters; {LARGEST_SOURCE} are allowed")
    try:
        tree = environment.parse(source)
        for forbidden in tree.find_all(_FORBIDDEN):
            raise TemplateBroken(f"line {forbidden.lineno}: a template can't use other templates")
        return environment.from_string(inline_once(_pieces(environment, source), inline_css))
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise TemplateBroken(f"line {line}: {error.message}" if line else str(error)) from error
    except NotInlinable as error:
        raise TemplateBroken(str(error)) from error


def _pieces(environment: Environment, source: str) -> Iterable[Piece]:
    """Yield HTML and whole tags of a template in order, by Jinja's own lexer; comments of the language are left out."""
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
    """Compiles and renders customers' templates in this process, for which templates.confined has one of its own."""

    def __init__(self, *, largest: int) -> None:
        """Bound what one template writes to so many characters."""
        self._environment = html_environment()
        self._largest = largest
        self._compiled = lru_cache(maxsize=_COMPILED)(self._compile)

    def _compile(self, source: str) -> Template:
        return compile_html(self._environment, source)

    def html(self, source: str, view: StatusView) -> str:
        """Return the HTML of a template. Raises TemplateBroken for faults that its author can mend."""
        chunks: list[str] = []
        size = 0
        template = self._compiled(source)
        try:
            for chunk in template.generate(m=view):
                size += len(chunk)
                if size > self._largest:
                    raise TemplateBroken(f"it makes a mail of more than {self._largest} characters")
                chunks.append(chunk)
        except TemplateError as error:
            raise TemplateBroken(str(error)) from error
        except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
            raise TemplateBroken(f"it fails with {type(error).__name__}: {error}") from error
        return "".join(chunks)


def standard_template() -> str:
    """Return the source of the standard status mail, from which customers start their own."""
    return _standard("status.html")


def _standard(name: str) -> str:
    return (files("templates") / "mail" / name).read_text("utf-8")
