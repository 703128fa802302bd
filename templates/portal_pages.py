"""The pages of the portal: Jinja templates that escape everything, with words in the visitor's language.

Templates stand in the folder portal, words in portal/words/LANGUAGE/ROOM.toml: `title` of settings.toml is named
`settings.title`, and `title` of its table `level` is `settings.level.title`. A table with `other` has the forms of a
number (CLDR). Not here: what is shown (web.portal), mails (render).
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from templates.documents import render_document
from templates.fact_view import say_setter, say_value
from templates.words import FALLBACK, Details, Dictionary, Words, locale_of

_FOLDER: Final = files(__package__).joinpath("portal")
_LANGUAGES: Final = ("en", "de", "fr", "es")


class PortalPages:
    """Fulfils web.portal.look.Look; each template and catalogue is read when it is first needed."""

    def __init__(self) -> None:
        self._words: dict[str, Words] = {}

    @property
    def languages(self) -> Collection[str]:
        """The languages that there are."""
        return _LANGUAGES

    @cached_property
    def _environment(self) -> Environment:
        made = Environment(
            loader=FileSystemLoader(str(_FOLDER)),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,
            auto_reload=False,
        )
        made.globals["languages"] = _LANGUAGES
        return made

    @cached_property
    def _mail(self) -> Dictionary:
        """The words of status mails, which pages use for states, settings and refusals."""
        return Dictionary()

    def render(self, template: str, language: str, zone: str, values: Mapping[str, object]) -> str:
        """Return a page in a language, with its instants in an IANA zone."""
        words = self.words(language)
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
            "setting_value": partial(say_value, words=mail),
            "setter": partial(say_setter, words=mail),
            "has_words": words.texts.__contains__,
            "counted": words.count,
            "number": words.number,
            "when": when,
            "day": day,
        }
        return self._environment.get_template(f"{template}.html.j2").render({**own, **values})

    def say(self, language: str, key: str, **fields: object) -> str:
        """Return a sentence. Raises KeyError for a key that there is not."""
        return self.words(language).say(key, **fields)

    def refusal(self, language: str, reason: str, detail: str) -> str:
        """Return why a recipient or a whole job is refused; `reason` is a Refusal or ProblemCode."""
        mail = self._mail.words(self.words(language).language)
        said, more = mail.explain(reason, ""), mail.detail(detail)
        return " ".join(filter(None, (said, more if more != said else "")))

    def territory(self, language: str, letters: str) -> str:
        """Return the name of a country by its ISO 3166 letters, empty where it is not known."""
        return str(locale_of(language).territories.get(letters, ""))

    def has(self, key: str) -> bool:
        """Return whether there are words of this key."""
        return key in self.words(FALLBACK).texts

    def words(self, language: str) -> Words:
        """Return all words of a language."""
        known = self._words.get(language)
        if known is None:
            texts = dict(read_words(language))
            known = self._words[language] = Words(language, locale_of(language), texts, Details({}))
        return known


def read_words(language: str) -> Mapping[str, str | Mapping[str, str]]:
    """Return the words of all rooms in a language by their keys."""
    texts: dict[str, str | Mapping[str, str]] = {}
    for file in _FOLDER.joinpath("words", language).iterdir():
        if file.name.endswith(".toml"):
            texts.update(_flat(file.name.removesuffix(".toml"), tomllib.loads(file.read_text("utf-8"))))
    return MappingProxyType(texts)


def _flat(name: str, table: Mapping[str, object]) -> Iterator[tuple[str, str | Mapping[str, str]]]:
    """Yield each sentence of a table, and each table of the forms of a number, with its whole key."""
    for key, value in table.items():
        if isinstance(value, Mapping) and not _is_counted(value):
            yield from _flat(f"{name}.{key}", value)
        elif isinstance(value, str | Mapping):
            yield f"{name}.{key}", value


def _is_counted(table: Mapping[str, object]) -> bool:
    return "other" in table and all(isinstance(form, str) for form in table.values())
