"""The table of facts of a status mail: sender, parts, times, who limited what.

Not here: the state (verdict).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Final

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


def list_facts(report: JobReport, recipients: Sequence[RecipientView], words: Words, zone: str) -> Iterable[Fact]:
    """Yield the lines of the table of facts that have a value."""
    only = recipients[0] if len(report.messages) == 1 else None
    parts = [part for message in report.messages for part in message.parts]
    senders = {message.sender_id for message in report.messages if message.sender_id}
    accepted = words.time(report.accepted_at, zone)
    # The mail begins with the time of a delivery.
    all_delivered = report.summary.delivered == len(report.messages)
    changed = words.time(max((m.updated_at for m in report.messages), default=report.accepted_at), zone)
    start = max(
        (m.due_at for m in report.messages if m.due_at and (m.state in OPEN or m.reason == TRIAL)), default=None
    )
    expiry = max((m.expires_at for m in report.messages if m.expires_at and m.state in OPEN), default=None)
    values = (
        ("label.to", only.who if only else ""),
        ("label.sender", only.sender if only else ", ".join(map(show_sender, sorted(senders)[:3]))),
        ("label.answers", words.say(f"unanswerable.{report.unanswerable}") if report.unanswerable else ""),
        ("label.parts", parts_line(parts, words)),
        ("label.alphabet", _alphabet(report, words)),
        ("label.cost_centre", _cost_centre(report)),
        ("label.limited", _limits(report)),
        ("label.reference", show_line(report.reference)),
        ("label.accepted_at", accepted),
        ("label.due_at", words.time(start, zone) if start and start - report.accepted_at > _SOON else ""),
        ("label.updated_at", changed if changed != accepted and not all_delivered else ""),
        ("label.valid_until", words.time(expiry, zone) if expiry else ""),
        ("label.job", show_line(report.public_id)),
    )
    return (Fact(label=words.say(key), value=value) for key, value in values if value)


def _cost_centre(report: JobReport) -> str:
    """Return who pays, and which directory or file says so."""
    origin = report.origins.get("cost_centre", ("", ""))[1]
    value = show_line(report.settings.cost_centre)
    return f"{value} ({show_line(origin)})" if value and origin.startswith(("ldap:", "file:")) else value


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


def _limits(report: JobReport) -> str:
    """Name the constraints on this job, with their origin; a maximum of parts only if text was cut."""
    was_cut = any(message.cut for message in report.messages)
    limited = {
        name: origin
        for name, (layer, origin) in report.origins.items()
        if layer == "constraint" and (name != "max_parts" or was_cut)
    }
    return "; ".join(
        f"{name} = {format_setting(getattr(report.settings, name))} ({show_line(origin)})"
        for name, origin in limited.items()
    )


def list_settings(report: JobReport) -> Iterable[Fact]:
    """Yield the settings that somebody set, with their origin: names and layers are those of the commands."""
    for name, (layer, origin) in report.origins.items():
        value = show_line(format_setting(getattr(report.settings, name)))
        yield Fact(
            label=name, value=f"{value} ({layer}, {show_line(origin)})" if origin != layer else f"{value} ({layer})"
        )
