"""What rules of a country did to an SMS, or may do, as sentences in the reader's language.

The words stand in `[country]` of the catalogues: one sentence for each rule, one for each effect, and a few words for
what is only a note. Not here: the rules and what they do (countries), where it is shown (recipient_view, status_view).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from countries.findings import Effect
from countries.rules import BY_SENDER_TYPE, PLACEHOLDERS, RuleName
from sms.report import Findings
from templates.shown_text import show_line
from templates.words import Words

_SENDER: Final = "sender"
_SHOWN: Final = "shown"
_TEXT: Final = "text"
_TIME: Final = "time"
_ANSWERS: Final = "answers"
_RECEIPTS: Final = "receipts"
_MOST_IN_TITLE: Final = 2
"""So many countries are named in a title; more of them, with long names, would be too long for one."""

NOTES: Final[Mapping[RuleName, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *(RuleName.ALPHA, RuleName.ALPHA_SUPPORTED, RuleName.ALPHA_REGISTRATION, RuleName.ALPHA_MAX),
                *(RuleName.ALPHA_REGISTRATION_LOCAL, RuleName.ALPHA_UCS2, RuleName.ID_RULE, RuleName.ID_FORM),
                *(RuleName.GENERIC_ID, RuleName.BLOCKED_ID, RuleName.LONG_LOCAL, RuleName.LONG_INTL),
                RuleName.SHORT_CODE,
            ),
            _SENDER,
        ),
        **dict.fromkeys((RuleName.ALPHA_KEPT, RuleName.REPLACED_BY, RuleName.LONG_INTL_KEPT), _SHOWN),
        **dict.fromkeys(
            (
                *(RuleName.CONCATENATION, RuleName.MAX_LENGTH, RuleName.MAX_PARTS, RuleName.UCS2, RuleName.CHARACTERS),
                *(RuleName.OPT_OUT, RuleName.TEXT_RULE, RuleName.TEXT_PREFIX, RuleName.TEXT_SUFFIX),
                *(RuleName.URL_RULE, RuleName.URLS, RuleName.CONTENT_BANS, RuleName.PHONE_NUMBERS),
            ),
            _TEXT,
        ),
        **dict.fromkeys(
            (RuleName.RATE, RuleName.LONG_CODE_RATE, RuleName.QUIET_HOURS, RuleName.VALIDITY),
            _TIME,
        ),
        **dict.fromkeys((RuleName.TWO_WAY, RuleName.STOP_HELP), _ANSWERS),
        RuleName.RECEIPTS: _RECEIPTS,
    }
)
"""What a note of each rule is about; rules that are not here are facts that are no note."""


def say_finding(finding: tuple[str, str, str], country: str, words: Words, sender: str = "") -> str:
    """Return what one rule of a country did, in whole sentences; `sender` is shown in place of the one asked for."""
    rule, effect, value = finding
    word, _, more = value.partition(": ")
    keys = (f"country.{rule}-{word}", f"country.{rule}", "country.other")
    key = next(key for key in keys if key in words.texts)
    for placeholder in PLACEHOLDERS:
        value = value.replace(placeholder, words.say(f"country.fills-{placeholder.strip('{}')}"))
    said = words.say(key, country=words.territory(country), value=show_line(value))
    if key == keys[0] and more:
        said = f"{said.removesuffix('.')} ({show_line(more)})."
    if effect == Effect.NOTED:
        return said
    own = f"country.is-{effect}-{rule}"
    done = words.say(own if own in words.texts else f"country.is-{effect}", sender=show_line(sender))
    return f"{said} {done}"


def say_deeds(findings: Findings, country: str, words: Words, sender: str = "") -> tuple[str, ...]:
    """Return what rules of a country did to a message, without what is only a note."""
    done = (finding for finding in findings if finding[1] != Effect.NOTED)
    return tuple(dict.fromkeys(say_finding(finding, country, words, sender) for finding in done))


def say_notes(found: Iterable[tuple[str, Findings]], words: Words) -> tuple[str, ...]:
    """Return what rules may do beyond what they did, from each message's country and findings: few words for each.

    Countries of which the same is said share a line.
    """
    about: dict[str, dict[str, None]] = {}
    for country, findings in found:
        for rule, effect, value in findings:
            # Said of most countries, of no kind of sender ID: no reason to warn of a text.
            if value == BY_SENDER_TYPE:
                continue
            if effect == Effect.NOTED and (note := NOTES.get(RuleName(rule), "")):
                about.setdefault(country, {})[note] = None
    countries: dict[tuple[str, ...], list[str]] = {}
    for country, notes in about.items():
        # Who may be blocked hears of the worse alone.
        kept = tuple(sorted(note for note in notes if note != _SHOWN or _SENDER not in notes))
        countries.setdefault(kept, []).append(words.territory(country))
    return tuple(
        words.say(
            "country.note-line",
            countries=", ".join(sorted(names)),
            notes="; ".join(words.say(f"country.note-{note}") for note in kept),
        )
        for kept, names in countries.items()
    )


def write_terms(bans: Mapping[str, Iterable[str]], words: Words) -> str:
    """Return as Markdown what countries forbid in texts, by their letters, for a customer to confirm."""
    countries = {words.territory(letters): named for letters, named in bans.items()}
    lines = (
        words.say("terms.line", country=country, bans=", ".join(words.say(f"terms.is-{ban}") for ban in named))
        for country, named in sorted(countries.items())
    )
    names = sorted(countries)
    title = (
        words.say("terms.title", countries=", ".join(names))
        if len(names) <= _MOST_IN_TITLE
        else words.say("terms.title-many", number=len(names))
    )
    listed = "\n".join(f"- {line}" for line in lines)
    return f"# {title}\n\n{words.say('terms.intro')}\n\n{listed}\n\n{words.say('terms.confirm')}\n"
