"""The pages of the portal: Jinja templates that escape everything, with words in the visitor's language.

Templates stand in the folder portal. Not here: the words (portal_words), what is shown (web.portal), mails (render).
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cache, cached_property, partial
from importlib.resources import files
from threading import Lock
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from addressbook.changes import ChangeFault
from addressbook.runs import Reason
from templates.country_words import say_deeds, say_finding, say_notes
from templates.directory_view import say_counts, say_line, say_reason
from templates.documents import render_document
from templates.fact_view import say_setter, say_value
from templates.portal_words import LANGUAGES, portal_words
from templates.words import FALLBACK, Dictionary, Words, locale_of

_FOLDER: Final = files(__package__).joinpath("portal")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(str(_FOLDER)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
        auto_reload=False,
    )
    made.globals["languages"] = LANGUAGES
    return made


class PortalPages:
    """Fulfils web.portal.look.Look; templates are compiled once, and read when first needed where not prepared."""

    def __init__(self) -> None:
        self._steps = self._prepare()
        self._turn = Lock()

    @property
    def languages(self) -> Collection[str]:
        """The languages that there are."""
        return LANGUAGES

    @cached_property
    def _mail(self) -> Dictionary:
        """The words of status mails, which pages use for states, settings and refusals."""
        return Dictionary()

    def prepare_next(self) -> bool:
        """Read the words of the next language, or compile the next template; returns False where none is left."""
        with self._turn:
            return next(self._steps, self) is None

    def _prepare(self) -> Iterator[None]:
        for language in LANGUAGES:
            portal_words(language)
            self._mail.words(language)
            self.territory(language, "")
            yield
        for template in _environment().list_templates(extensions=["j2"]):
            _environment().get_template(template)
            yield

    def render(self, template: str, language: str, zone: str, values: Mapping[str, object]) -> str:
        """Return a page in a language, with its instants in an IANA zone."""
        words = portal_words(language)
        mail = self._mail.words(words.language)

        def when(instant: datetime) -> str:
            return words.time(instant, zone)

        def day(instant: datetime) -> str:
            return words.date(instant, zone)

        own = {
            "language": words.language,
            "zone": zone,
            "t": words.say,
            "mail": mail,
            "refusal": partial(self.refusal, words.language),
            "document": render_document,
            "language_name": _language_name,
            "finding": partial(say_finding, words=mail),
            "deeds": partial(say_deeds, words=mail),
            "notes": partial(say_notes, words=mail),
            "setting_value": partial(say_value, words=mail),
            "setter": partial(say_setter, words=mail),
            "run_line": partial(say_line, words=mail),
            "run_counts": partial(say_counts, words=mail),
            "reason": partial(say_reason, words=mail),
            "fault_of_row": partial(_say_fault, words=mail),
            "has_words": words.texts.__contains__,
            "counted": words.count,
            "number": words.number,
            "when": when,
            "day": day,
        }
        return _environment().get_template(f"{template}.html.j2").render({**own, **values})

    def say(self, language: str, key: str, **fields: object) -> str:
        """Return a sentence. Raises KeyError for a key that there is not."""
        return portal_words(language).say(key, **fields)

    def refusal(self, language: str, reason: str, detail: str) -> str:
        """Return why a recipient or a whole job is refused; `reason` is a Refusal or ProblemCode."""
        mail = self._mail.words(portal_words(language).language)
        said, more = mail.explain(reason, ""), mail.detail(detail)
        return " ".join(filter(None, (said, more if more != said else "")))

    def territory(self, language: str, letters: str) -> str:
        """Return the name of a country by its ISO 3166 letters, empty where it is not known."""
        return str(locale_of(language).territories.get(letters, ""))

    def has(self, key: str) -> bool:
        """Return whether there are words of this key."""
        return key in portal_words(FALLBACK).texts


def _say_fault(fault: ChangeFault, words: Words) -> str:
    return say_reason(Reason(section="row", code=str(fault.code), facts=dict(fault.facts)), words)


def _language_name(tag: str) -> str:
    """Return what a language is called by those who speak it."""
    return str(locale_of(tag).get_language_name() or tag)
