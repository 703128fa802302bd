"""The sentences of status mails and DSNs in every language, and dates in the reader's form.

The detail of a refused recipient is stored as an English sentence, for logs, machines and people. If `[detail]` of the
English catalogue has it, it is matched with its fields and translated into the reader's language. Not here: which
sentence fits a report (templates.status_view), nor markup. The catalogues are the TOML files in `mail/`.
"""

import re
import string
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from babel.units import format_unit

FALLBACK = "en"

_LOOKED_UP = 1024
_LONGEST_DETAIL = 400
_GROUPED = 1000
_FIELDS = {"code": "[0-9A-F]{1,6}", "country": "[A-Z]{2}", "allowed": "[A-Z]{2}(?:, [A-Z]{2})*"}
_ANY_FIELD = ".{1,200}?"


@lru_cache(maxsize=1)
def find_languages() -> tuple[str, ...]:
    """Return the languages that have a catalogue."""
    names = (file.name for file in (files("templates") / "mail").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def language_spoken(tag: str) -> str:
    """Return the language of the sentences for a tag such as `de-AT`: English if its own has no catalogue."""
    language = tag.partition("-")[0].lower()
    return language if language in find_languages() else FALLBACK


class Words:
    """One language's catalogue: sentences by `section.key`, counted forms by CLDR plural category, dates."""

    def __init__(
        self, language: str, locale: Locale, texts: Mapping[str, str | Mapping[str, str]], details: "DetailSentences"
    ) -> None:
        self.language = language
        self._details = details
        self.texts = texts
        self._locale = locale
        self._sentences = {key: text for key, text in texts.items() if isinstance(text, str)}
        # A mail to many recipients repeats the same minute, and all mails have small numbers.
        self._cached_time = lru_cache(maxsize=_LOOKED_UP)(self._format_time)
        self._plural_form = lru_cache(maxsize=_LOOKED_UP)(locale.plural_form)

    def say(self, key: str, **fields: object) -> str:
        """Return a sentence with its fields filled in. Raises KeyError for a key that no catalogue has."""
        text = self._sentences[key]
        return text.format(**fields) if fields else text

    def count(self, key: str, number: int, **fields: object) -> str:
        """Return the grammatical form of a counted phrase for this number, its field `n`."""
        forms = self.texts[key]
        assert isinstance(forms, Mapping)
        form = forms.get(self._plural_form(number), forms["other"])
        return form.format(n=number, **fields)

    def explain(self, reason: str, problem: str) -> str:
        """Return the sentence for a ProblemCode or Refusal value; `problem` if the catalogue lacks it."""
        return self._sentences.get(f"problem.{reason}") or self._sentences.get(f"refusal.{reason}") or problem

    def detail(self, english: str) -> str:
        """Return the detail of a refusal in this language; unchanged if the catalogues lack it."""
        if self.language == FALLBACK:
            return english
        found = self._details.find(english)
        return english if found is None else self.say(found[0], **found[1])

    def territory(self, letters: str) -> str:
        """Return the name of a country by its ISO 3166 letters; the letters where it has none."""
        return str(self._locale.territories.get(letters, letters))

    def number(self, number: int) -> str:
        """Return a whole number in groups of digits, as the language writes it."""
        return str(number) if number < _GROUPED else str(format_decimal(number, locale=self._locale))

    def duration(self, duration: timedelta) -> str:
        """Return a length of time in hours or, where these do not fit, in minutes: `48 hours`."""
        minutes = int(duration.total_seconds() // 60)
        number, unit = (minutes // 60, "duration-hour") if minutes % 60 == 0 else (minutes, "duration-minute")
        return format_unit(number, unit, locale=self._locale)

    def time(self, instant: datetime, zone: str) -> str:
        """Return the minute of an instant in the reader's IANA zone, language and order, with the zone."""
        return self._cached_time(instant.replace(second=0, microsecond=0), zone)

    def date(self, instant: datetime, zone: str) -> str:
        """Return the day of an instant in the reader's zone, language and order."""
        return str(format_date(instant.astimezone(ZoneInfo(zone)), "medium", locale=self._locale))

    def _format_time(self, instant: datetime, zone: str) -> str:
        local = instant.astimezone(ZoneInfo(zone))
        zone_name = local.tzname() or ""
        if not zone_name[:1].isalpha():
            zone_name = f"UTC{zone_name}"
        # Babel has the CLDR form «date, time»; its own zone names are long or wrong for half the world.
        return f"{format_datetime(local, _pattern_of(self._locale), locale=self._locale)} {zone_name}"


def _pattern_of(locale: Locale) -> str:
    date = locale.date_formats["medium"].pattern
    time = locale.time_formats["short"].pattern
    return str(locale.datetime_formats["medium"]).replace("{1}", date).replace("{0}", time)


class DetailSentences:
    """The sentences of `[detail]` in the English catalogue, as patterns."""

    def __init__(self, english: Mapping[str, str | Mapping[str, str]]) -> None:
        self._patterns = [
            (key, re.compile(_sentence_pattern(text)))
            for key, text in english.items()
            if key.startswith("detail.") and isinstance(text, str)
        ]
        self.find = lru_cache(maxsize=_LOOKED_UP)(self._find)

    def _find(self, sentence: str) -> tuple[str, Mapping[str, str]] | None:
        """Return the key and the fields of a sentence."""
        if len(sentence) > _LONGEST_DETAIL:
            return None
        for key, pattern in self._patterns:
            match = pattern.fullmatch(sentence)
            if match is not None:
                return key, match.groupdict()
        return None


def _sentence_pattern(text: str) -> str:
    pieces: list[str] = []
    for before, name, _, _ in string.Formatter().parse(text):
        pieces.append(re.escape(before))
        if name is not None:
            pieces.append(f"(?P<{name}>{_FIELDS.get(name, _ANY_FIELD)})")
    return "".join(pieces)


class Dictionary:
    """All catalogues, read once; a tag such as `de-AT` finds German words and Austrian dates."""

    def __init__(self) -> None:
        self._texts = {language: _read_catalogue(language) for language in find_languages()}
        self._details = DetailSentences(self._texts[FALLBACK])
        self._words: dict[str, Words] = {}

    def words(self, tag: str) -> Words:
        """Return the words for a language tag; English words and dates if the language has no catalogue."""
        known = self._words.get(tag)
        if known is None:
            language = language_spoken(tag)
            if language == FALLBACK != tag.partition("-")[0].lower():
                return self.words(FALLBACK)
            known = self._words[tag] = Words(language, locale_of(tag), self._texts[language], self._details)
        return known


def locale_of(tag: str) -> Locale:
    """Return whose dates and numbers a tag such as `de-AT` has."""
    if tag == FALLBACK:
        # CLDR's bare «en» is American; day before month and a 24-hour clock are clear everywhere.
        return Locale.parse("en_GB")
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(tag.partition("-")[0])


@cache
def _read_catalogue(language: str) -> Mapping[str, str | Mapping[str, str]]:
    document = tomllib.loads((files("templates") / "mail" / f"{language}.toml").read_text("utf-8"))
    return MappingProxyType(
        {f"{section}.{key}": text for section, texts in document.items() for key, text in texts.items()}
    )
