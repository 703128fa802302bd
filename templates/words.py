"""The sentences of status mails and DSNs in every language, and dates as their reader writes them.

Not here: which sentence fits a report (templates.view), nor markup. The catalogues are the TOML files in `mail/`.
"""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime

LANGUAGES = ("en", "de", "es", "fr")
FALLBACK = "en"

_LOOKED_UP = 1024


class Words:
    """One language's catalogue: sentences by `section.key`, counted forms by CLDR plural category, dates."""

    def __init__(self, language: str, locale: Locale, texts: Mapping[str, str | Mapping[str, str]]) -> None:
        self.language = language
        self.texts = texts
        self._locale = locale
        # A mail to many recipients says the same minute again and again.
        self._cached_time = lru_cache(maxsize=_LOOKED_UP)(self._format_time)

    def say(self, key: str, **fields: object) -> str:
        """Return a sentence with its fields filled in. Raises KeyError for a key that no catalogue has."""
        text = self.texts[key]
        assert isinstance(text, str)
        return text.format(**fields) if fields else text

    def count(self, key: str, number: int) -> str:
        """Return the form of a counted phrase that grammar wants for this number, which stands in it."""
        forms = self.texts[key]
        assert isinstance(forms, Mapping)
        form = forms.get(self._locale.plural_form(number), forms["other"])
        return form.format(n=number)

    def explain(self, reason: str, problem: str) -> str:
        """Return the sentence for a ProblemCode or Refusal value; `problem` where the catalogue does not know it."""
        text = self.texts.get(f"problem.{reason}") or self.texts.get(f"refusal.{reason}") or problem
        assert isinstance(text, str)
        return text

    def time(self, instant: datetime, zone: str) -> str:
        """Return the minute of an instant in the reader's IANA zone, language and order, with the zone's name."""
        return self._cached_time(instant.replace(second=0, microsecond=0), zone)

    def _format_time(self, instant: datetime, zone: str) -> str:
        local = instant.astimezone(ZoneInfo(zone))
        zone_name = local.tzname() or ""
        if not zone_name[:1].isalpha():
            zone_name = f"UTC{zone_name}"
        # Babel brings the CLDR form «date, time»; its own zone names are long or wrong for half the world.
        return f"{format_datetime(local, _pattern_of(self._locale), locale=self._locale)} {zone_name}"


def _pattern_of(locale: Locale) -> str:
    date = locale.date_formats["medium"].pattern
    time = locale.time_formats["short"].pattern
    return str(locale.datetime_formats["medium"]).replace("{1}", date).replace("{0}", time)


class Dictionary:
    """All catalogues, read once; a tag such as `de-AT` finds German words and Austrian dates."""

    def __init__(self) -> None:
        self._texts = {language: _read_catalogue(language) for language in LANGUAGES}
        self._words: dict[str, Words] = {}

    def words(self, tag: str) -> Words:
        """Return the words for a language tag; English where the language has no catalogue."""
        known = self._words.get(tag)
        if known is None:
            language = tag.partition("-")[0].lower()
            if language not in LANGUAGES:
                language = tag = FALLBACK
            known = self._words[tag] = Words(language, _locale_of(tag), self._texts[language])
        return known


def _locale_of(tag: str) -> Locale:
    if tag == FALLBACK:
        # CLDR's bare «en» is American; day before month and a 24-hour clock are read without doubt everywhere.
        return Locale.parse("en_GB")
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(tag.partition("-")[0])


def _read_catalogue(language: str) -> Mapping[str, str | Mapping[str, str]]:
    document = tomllib.loads((files("templates") / "mail" / f"{language}.toml").read_text("utf-8"))
    return MappingProxyType(
        {f"{section}.{key}": text for section, texts in document.items() for key, text in texts.items()}
    )
