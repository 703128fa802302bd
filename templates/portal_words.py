"""The words of the portal in every language: of its pages and of its letters.

They stand in portal/words/LANGUAGE/ROOM.toml: `title` of settings.toml is named `settings.title`, and `title` of its
table `level` is `settings.level.title`. A table with `other` has the forms of a number (CLDR). Not here: the words of
status mails (words).
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from templates.words import FALLBACK, DetailSentences, Words, locale_of

LANGUAGES: Final = ("en", "de", "fr", "es")
_FOLDER: Final = files(__package__).joinpath("portal", "words")


@cache
def portal_words(language: str) -> Words:
    """Return all words of a language, English ones for a language that there is not."""
    own = language if language in LANGUAGES else FALLBACK
    return Words(own, locale_of(own), read_words(own), DetailSentences({}))


def read_words(language: str) -> Mapping[str, str | Mapping[str, str]]:
    """Return the words of all rooms in a language by their keys."""
    texts: dict[str, str | Mapping[str, str]] = {}
    for file in _FOLDER.joinpath(language).iterdir():
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
