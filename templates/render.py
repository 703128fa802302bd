"""Turns a report into the text of a mail, of a status, a received SMS or a directory: Jinja templates with inlined CSS.

Not here: what a template sees (templates.view), MIME (mta.sending.compose), the sandbox of customers' own templates,
and the inliner (templates.customers). Our own templates have the same filters but no sandbox: it would only guard
against us, and cost half of a mail's rendering.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Protocol

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from inbound.report import InboundReport
from sms.report import JobReport, NoticeKind
from sms.settings import Settings
from templates.alert_view import AlertView
from templates.brand import view_brand
from templates.directory_view import DirectoryNews, DirectoryView, view_directory
from templates.forms import MailForm
from templates.graphics import Graphic
from templates.inbound_view import InboundReader, InboundView, view_inbound
from templates.status_view import view_report
from templates.view import StatusView, Tone
from templates.words import Dictionary, Words

ROWS = 150
_LINES = 50
LARGEST_HTML = 95_000  # Gmail cuts mails after 102 KB
LARGEST_SOURCE = 64_000

View = StatusView | InboundView | DirectoryView

# Filters that neither build large strings from small ones nor mark text as safe.
_FILTERS = frozenset(
    {"capitalize", "count", "d", "default", "e", "escape", "first", "int", "join", "last", "length", "lower", "replace"}
    | {"reverse", "round", "sort", "string", "title", "trim", "truncate", "upper", "wordcount"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The text of one mail; `text` has line feeds. `fallback` says why a customer's own template was not used.

    `shortened`: it does not show all recipients.
    """

    subject: str
    html: str
    text: str
    language: str
    fallback: str = ""
    shortened: bool = False


class Confinement(Protocol):
    """Runs customers' templates within bounds; see templates.confined."""

    def run(self, source: str, view: View) -> str:
        """Return the HTML of a customer's template. Raises TemplateBroken for every failure."""


class TemplateBroken(Exception):  # noqa: N818  (reads as the sentence it carries)
    """A template cannot be used; the message tells its author why."""


def environment_of(kind: type[Environment], *, autoescape: bool) -> Environment:
    """Return Jinja with no globals and few filters and tests, in which an unknown name is a fault."""
    environment = kind(
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
    environment.filters["replace"] = _replace
    environment.tests = {name: environment.tests[name] for name in ("defined", "none", "eq", "ne", "in", "gt", "lt")}
    return environment


def _lines(text: str) -> Markup:
    """Return text as HTML that keeps line ends and runs of blanks, even in Word's engine (no `white-space`)."""
    html = str(escape(text)).replace("\n", "<br>\n")
    while "  " in html:
        html = html.replace("  ", "\u00a0 ")
    return Markup(html)  # noqa: S704  (everything in it was escaped above)


def _replace(text: object, old: object, new: object) -> str:
    """Return plain text with every occurrence replaced; HTML becomes text again, to be escaped."""
    return "".join(str(text)).replace(str(old), str(new))


# The blocks whose letters run from right to left: Hebrew to Arabic Extended-A, their presentation forms, and those of
# the supplementary plane (Unicode, DerivedBidiClass: R and AL), with the mark that says so.
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")


def _isolate(text: str, margin: str = "") -> str:
    """Return text with a margin, each line that runs from right to left somewhere in an isolate (UAX #9 §2.4.2)."""
    if text.isascii() or _RIGHT_TO_LEFT.search(text) is None:
        return "\n".join(margin + line for line in text.split("\n"))
    lines = (f"\u2068{line}\u2069" if _RIGHT_TO_LEFT.search(line) else line for line in text.split("\n"))
    return "\n".join(margin + line for line in lines)


class Renderer:
    """Renders every kind of mail in every language; compiles each template once."""

    def __init__(self, *, confinement: Confinement | None = None, rows: int = ROWS) -> None:
        """Compile the standard templates. Without a confinement it never runs customers' own templates."""
        self._dictionary = Dictionary()
        self._confinement = confinement
        self._rows = rows
        self._status = _Standard("status")
        self._inbound = _Standard("inbound")
        self._directory = _Standard("directory")
        self._alert = _compiled("alert.inlined.html", autoescape=True)

    def render(
        self, kind: NoticeKind, report: JobReport, *, override: str | None = None, logo: Graphic | None = None
    ) -> Rendered:
        """Return the text of a status mail; a customer's template never fails it, `fallback` names the fault."""
        view = self.view(kind, report, logo=logo)
        return self._render(
            self._status,
            view,
            len(view.recipients),
            1,
            lambda rows: self.view(kind, report, rows=rows, logo=logo),
            override,
        )

    def render_inbound(
        self, report: InboundReport, reader: InboundReader, *, override: str | None = None, logo: Graphic | None = None
    ) -> Rendered:
        """Return the text of the mail of an inbound SMS; the same holds for a customer's template."""
        view = self.view_inbound(report, reader, logo=logo)
        return self._render(
            self._inbound,
            view,
            len(view.earlier),
            0,
            lambda rows: self.view_inbound(report, reader, rows=rows, logo=logo),
            override,
        )

    def render_directory(self, news: DirectoryNews) -> Rendered:
        """Return the text of the mail about a directory."""
        words = self._dictionary.words(news.settings.language)
        view = view_directory(news, words, rows=_LINES)
        return self._render(
            self._directory, view, len(view.lines), 0, lambda rows: view_directory(news, words, rows=rows), None
        )

    def render_alert(self, subject: str, text: str, tone: Tone) -> str:
        """Return an alert's HTML; its text is English, with empty lines between paragraphs."""
        view = AlertView(
            subject=subject,
            tone=tone.value,
            paragraphs=tuple(text.strip().split("\n\n")),
            brand=view_brand("", Settings(), self._dictionary.words("en")),
        )
        return self._alert.render(m=view)

    def render_letter(self, subject: str, text: str, words: Words, *, answered: bool) -> str:
        """Return the HTML of a letter, whose text has empty lines between paragraphs; `answered`: answers are read."""
        view = AlertView(
            subject=subject,
            tone=Tone.CALM.value,
            paragraphs=tuple(text.strip().split("\n\n")),
            brand=view_brand("", Settings(), words),
            language=words.language,
            kind_name=words.say("letter.kind"),
            footer=words.say("letter.footer-answered" if answered else "letter.footer"),
        )
        return self._alert.render(m=view)

    def _render(  # noqa: PLR0913, PLR0917 - one argument per difference between the two
        self,
        standard: "_Standard",
        view: View,
        rows: int,
        fewest: int,
        shorter: Callable[[int], View],
        override: str | None,
    ) -> Rendered:
        """Render a view, and one with half as many rows until the mail is short enough."""
        while True:
            html, fallback = self._html_of(standard, view, override)
            if rows <= fewest or _fits(html):
                break
            rows //= 2
            view = shorter(rows)
        return Rendered(
            subject=view.subject,
            html=html,
            text=standard.text.render(m=view),
            language=view.language,
            fallback=fallback,
            shortened=isinstance(view, StatusView) and bool(view.more),
        )

    def _html_of(self, standard: "_Standard", view: View, override: str | None) -> tuple[str, str]:
        if override is not None:
            try:
                return self._confined(override, view), ""
            except TemplateBroken as broken:
                return standard.html.render(m=view), str(broken)
        return standard.html.render(m=view), ""

    def _confined(self, source: str, view: View) -> str:
        if self._confinement is None:
            raise TemplateBroken("customers' own templates are switched off")
        return self._confinement.run(source, view)

    def view(
        self, kind: NoticeKind, report: JobReport, *, rows: int | None = None, logo: Graphic | None = None
    ) -> StatusView:
        """Return what a template sees of this report."""
        words = self._dictionary.words(report.settings.language)
        return view_report(kind, report, words, rows=self._rows if rows is None else rows, logo=logo)

    def view_inbound(
        self, report: InboundReport, reader: InboundReader, *, rows: int | None = None, logo: Graphic | None = None
    ) -> InboundView:
        """Return what a template sees of an inbound SMS."""
        return view_inbound(report, reader, self._dictionary.words(reader.settings.language), rows=rows, logo=logo)

    def words(self, tag: str) -> Words:
        """Return the sentences of a language, for the prose of DSNs."""
        return self._dictionary.words(tag)


def _fits(html: str) -> bool:
    return len(html) <= LARGEST_HTML // 4 or len(html.encode("utf-8", "replace")) <= LARGEST_HTML


class _Standard:
    """One standard mail, compiled."""

    def __init__(self, name: str) -> None:
        self.html = _compiled(f"{name}.inlined.html", autoescape=True)
        self.text = _compiled(f"{name}.txt", autoescape=False)


def standard_template(form: MailForm = MailForm.RESULT) -> str:
    """Return the source of the standard mail of a form, from which customers start their own."""
    return standard_source("inbound" if form is MailForm.INBOUND else "status")


def standard_source(name: str) -> str:
    """Return the source of a standard mail: `status`, `inbound` or `directory`."""
    return _SHARED.sub(lambda shared: _standard(shared[1]), _standard(f"{name}.html"))


# Of our own files only, so that what a customer starts from is whole.
_SHARED = re.compile(r'\{% include "([a-z.]+)" %\}\n')


@cache
def _compiled(name: str, *, autoescape: bool) -> Template:
    return environment_of(Environment, autoescape=autoescape).from_string(_standard(name))


def _standard(name: str) -> str:
    return (files("templates") / "mail" / name).read_text("utf-8")
