"""The table of facts of a status mail: sender, parts, times, who limited what.

Not here: the state (verdict).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from addressbook.hierarchy import LayerKind
from sms.alphabet import find_strange
from sms.lifecycle import OPEN
from sms.message import Alphabet, NationalLanguage
from sms.parts import graphemes
from sms.report import JobReport
from sms.settings import format_setting
from templates.recipient_view import TRIAL, parts_line, show_sender
from templates.shown_text import show_line
from templates.view import Fact, RecipientView
from templates.words import Words

_SOON = timedelta(minutes=1)
_NAMED_STRANGE = 5


def starts_at(report: JobReport) -> datetime | None:
    """Return when the last SMS that waits goes out, None where it goes out at once."""
    waiting = [m.due_at for m in report.messages if m.due_at and (m.state in OPEN or m.reason == TRIAL)]
    start = max(waiting, default=report.accepted_at)
    return start if start - report.accepted_at > _SOON else None


def list_facts(report: JobReport, recipients: Sequence[RecipientView], words: Words, zone: str) -> Iterable[Fact]:
    """Yield the lines of the table of facts that have a value."""
    only = recipients[0] if len(report.messages) == 1 else None
    parts = [part for message in report.messages for part in message.parts]
    senders = {message.sender_id for message in report.messages if message.sender_id}
    accepted = words.time(report.accepted_at, zone)
    # The mail begins with the time of a delivery.
    all_delivered = report.summary.delivered == len(report.messages)
    changed = words.time(max((m.updated_at for m in report.messages), default=report.accepted_at), zone)
    start = starts_at(report)
    expiry = max((m.expires_at for m in report.messages if m.expires_at and m.state in OPEN), default=None)
    values = (
        ("label.to", only.who if only else ""),
        ("label.sender", only.sender if only else ", ".join(map(show_sender, sorted(senders)[:3]))),
        ("label.answers", words.say(f"unanswerable.{report.unanswerable}") if report.unanswerable else ""),
        ("label.parts", parts_line(parts, words)),
        ("label.alphabet", _alphabet(report, words)),
        ("label.cost_centre", _cost_centre(report, words)),
        ("label.limited", _limits(report, words)),
        ("label.reference", show_line(report.reference)),
        ("label.accepted_at", accepted),
        ("label.due_at", words.time(start, zone) if start else ""),
        ("label.updated_at", changed if changed != accepted and not all_delivered else ""),
        ("label.valid_until", words.time(expiry, zone) if expiry else ""),
        ("label.job", show_line(report.public_id)),
    )
    return (Fact(label=words.say(key), value=value) for key, value in values if value)


def _cost_centre(report: JobReport, words: Words) -> str:
    """Return who pays, and that a directory or file says so."""
    origin = report.origins.get("cost_centre", ("", ""))[1]
    value = show_line(report.settings.cost_centre)
    return f"{value} ({words.say('setter.directory')})" if value and _is_of_directory(origin) else value


# What a language is called by those who speak it, so that it needs no translation.
_AUTONYMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        NationalLanguage.TURKISH: "Türkçe",
        NationalLanguage.SPANISH: "español",
        NationalLanguage.PORTUGUESE: "português",
        NationalLanguage.BENGALI: "বাংলা",
        NationalLanguage.GUJARATI: "ગુજરાતી",
        NationalLanguage.HINDI: "हिन्दी",
        NationalLanguage.KANNADA: "ಕನ್ನಡ",
        NationalLanguage.MALAYALAM: "മലയാളം",
        NationalLanguage.ORIYA: "ଓଡ଼ିଆ",
        NationalLanguage.PUNJABI: "ਪੰਜਾਬੀ",
        NationalLanguage.TAMIL: "தமிழ்",
        NationalLanguage.TELUGU: "తెలుగు",
        NationalLanguage.URDU: "اردو",
    }
)


def _alphabet(report: JobReport, words: Words) -> str:
    """Return the sentence about what is sent for characters that GSM-7 lacks: other languages' letters, or UCS-2.

    With UCS-2 it names the first of those characters. Empty where nothing of it was needed.
    """
    settings = report.settings
    languages = sorted({_AUTONYMS[one] for message in report.messages for one in message.languages.split(", ") if one})
    if languages:
        return words.say("text.national", languages=", ".join(languages))
    texts = {message.text for message in report.messages if message.alphabet is Alphabet.UCS2 and message.text}
    if not texts or settings.coding is Alphabet.UCS2:
        return ""
    found = dict.fromkeys(one for text in texts for one in find_strange(graphemes(text), settings.unencodable))
    strange = [show_line(one) for one in found] if settings.preview else []
    if not strange:
        return words.say("text.ucs2")
    more = ["…"] if len(strange) > _NAMED_STRANGE else []
    return words.say("text.ucs2_for", characters=" ".join((*strange[:_NAMED_STRANGE], *more)))


def _limits(report: JobReport, words: Words) -> str:
    """Name the constraints on this job, and whose they are; a maximum of parts only if text was cut."""
    was_cut = any(message.cut for message in report.messages)
    limited = [
        name
        for name, (layer, _) in report.origins.items()
        if layer == LayerKind.CONSTRAINT and (name != "max_parts" or was_cut)
    ]
    return "; ".join(f"{words.say(f'setting.{name}')}: {_say_setting(report, name, words)}" for name in limited)


def list_settings(report: JobReport, words: Words) -> Iterable[Fact]:
    """Yield the settings that somebody set, and who."""
    for name in report.origins:
        yield Fact(label=words.say(f"setting.{name}"), value=_say_setting(report, name, words))


def _say_setting(report: JobReport, name: str, words: Words) -> str:
    setter = say_setter(*report.origins[name], report.profile, words)
    return f"{say_value(getattr(report.settings, name), words)} ({setter})"


def say_value(value: object, words: Words) -> str:
    """Return the value of a setting as people say it."""
    if isinstance(value, timedelta):
        return words.duration(value)
    text = format_setting(value)
    if value is None or not text:
        return words.say("value.none")
    return words.say(f"value.{text}") if isinstance(value, bool | StrEnum) else show_line(text)


def say_setter(layer: str, origin: str, profile: str, words: Words) -> str:
    """Return who set it, without the names of those who run the gateway."""
    if layer == LayerKind.CONSTRAINT:
        # Constraints.name: «the system», «customer NAME», «the contract of customer NAME»
        layer = LayerKind.SYSTEM if origin.endswith("the system") else LayerKind.CUSTOMER
    if layer in {LayerKind.USER, LayerKind.PINNED}:
        return words.say("setter.directory" if _is_of_directory(origin) else "setter.user")
    if layer == LayerKind.PROFILE:
        return words.say("setter.profile", profile=show_line(profile))
    return words.say(f"setter.{layer}")


def _is_of_directory(origin: str) -> bool:
    return origin.startswith(("ldap:", "file:"))
