"""The view of what came of reading a customer's directory: every value in words, in its administrator's language.

Not here: markup (the files in `mail/`), escaping (templates.render), the attached file (mta.sending.directory).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from addressbook.runs import NotTaken, Reason, RunLine
from sms.facts import Fact as CodeFact
from sms.settings import Settings
from templates.brand import BrandView, view_brand
from templates.shown_text import show_line
from templates.view import Fact, Tone
from templates.words import Words

_LONGEST_LINE: Final = 300
_LONGEST_LIST: Final = 20
_SAID_BY_ACTION: Final = frozenset({"active", "disabled", "unseen", "missing"})


class DirectoryEvent(StrEnum):
    """What an administrator is told of a directory."""

    HELD = "held"  # changes wait for approval
    FAILED = "failed"
    RECOVERED = "recovered"
    FAULTY = "faulty"  # some entries could not be taken over
    TAKEN = "taken"  # a file
    REFUSED = "refused"  # a file


_TONES: Final[Mapping[DirectoryEvent, Tone]] = {
    DirectoryEvent.HELD: Tone.UNSURE,
    DirectoryEvent.FAILED: Tone.BAD,
    DirectoryEvent.RECOVERED: Tone.GOOD,
    DirectoryEvent.FAULTY: Tone.UNSURE,
    DirectoryEvent.TAKEN: Tone.GOOD,
    DirectoryEvent.REFUSED: Tone.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryNews:
    """What is told of one run of a directory, and how its reader wants it.

    `reasons` are why it waits or failed, `lines` what it changes or would change, `counts` how many of each action
    (`add`, `change`, …). `command` approves it. `failures` in a row began at `failing_since`.
    """

    event: DirectoryEvent
    directory: str
    customer: str
    reference: str
    at: datetime
    settings: Settings
    source: str = ""
    reasons: Sequence[Reason] = ()
    faults: Sequence[NotTaken] = ()
    lines: Sequence[RunLine] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    command: str = ""
    failures: int = 0
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A line of the difference, or an entry at fault: of whom or where, and what."""

    who: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryView:
    """The mail of one run. `more` says how many lines it does not show."""

    language: str
    subject: str
    preheader: str
    kind_name: str
    tone: str
    headline: str
    lead: str
    reasons: tuple[str, ...]
    approve: str
    command: str
    approve_note: str
    facts: tuple[Fact, ...]
    lines: tuple[LineView, ...]
    more: str
    brand: BrandView
    footer: str


def view_directory(news: DirectoryNews, words: Words, *, rows: int) -> DirectoryView:
    """Return the view of a run with at most so many of its lines, or of its entries at fault."""
    name, is_held = show_line(news.directory), news.event is DirectoryEvent.HELD
    what = _what(news, words)
    reasons = tuple(say_reason(reason, words) for reason in news.reasons)
    lines, more = _lines(news, words, rows)
    return DirectoryView(
        language=words.language,
        subject=words.say("directory.subject", name=name, what=what),
        preheader=" · ".join((what, *reasons[:1])),
        kind_name=words.say("directory.kind", name=name),
        tone=_TONES[news.event].value,
        headline=f"{what[:1].upper()}{what[1:]}",
        lead=words.say(f"directory.{news.event}_lead"),
        reasons=reasons,
        approve=words.say("directory.approve") if is_held else "",
        command=news.command if is_held else "",
        approve_note=words.say("directory.approve_note") if is_held else "",
        facts=tuple(_facts(news, words)),
        lines=lines,
        more=more,
        brand=view_brand(news.customer, news.settings, words),
        footer=words.say("directory.footer"),
    )


def say_reason(reason: Reason, words: Words) -> str:
    """Return the sentence of a code with its facts; these alone where no catalogue has it."""
    facts = {name: _shown(fact) for name, fact in reason.facts.items()}
    key = f"{reason.section}.{reason.code}"
    return words.say(key, **facts) if key in words.texts else f"{reason.code}: {', '.join(facts.values())}"


def say_place(left: NotTaken, words: Words) -> str:
    """Return where an entry or a row stands that was left as it was."""
    line = words.say("directory.line", line=left.line) if left.line else ""
    return _short(", ".join(filter(None, (line, left.who, left.column)))) or words.say("directory.whole")


def say_line(line: RunLine, words: Words) -> str:
    """Return what a line of the difference changes."""
    nothing = words.say("directory.nothing")
    if line.field and line.field not in _SAID_BY_ACTION:
        return f"{line.field}: {line.before or nothing} → {line.after or nothing}"
    what = words.say(f"user-line.{line.action.removeprefix('sync.')}")
    summary = "" if line.field else line.after or line.before
    return f"{what}: {summary}" if summary else what


def say_counts(counts: Mapping[str, int], words: Words) -> str:
    """Return how many of what a run changes."""
    keys = ((f"user-action.{name}", number) for name, number in counts.items() if number)
    return ", ".join(words.count(key, number) for key, number in keys if key in words.texts) or words.say(
        "directory.nothing"
    )


def _what(news: DirectoryNews, words: Words) -> str:
    if news.event is DirectoryEvent.FAULTY:
        return words.count("directory.faulty", len(news.faults))
    return words.say(f"directory.{news.event}")


def _facts(news: DirectoryNews, words: Words) -> Iterable[Fact]:
    zone = news.settings.time_zone
    since = ""
    if news.failing_since is not None:
        since = words.count("directory.since", news.failures, time=words.time(news.failing_since, zone))
    values = (
        ("customer", show_line(news.customer)),
        ("source", show_line(news.source)),
        ("read_at", words.time(news.at, zone)),
        ("failing", since),
        ("changes", say_counts(news.counts, words) if news.counts else ""),
        ("reference", news.reference),
    )
    return (Fact(label=words.say(f"directory.{label}"), value=value) for label, value in values if value)


def _lines(news: DirectoryNews, words: Words, rows: int) -> tuple[tuple[LineView, ...], str]:
    """Return the first entries at fault where there are any, else the first lines of a difference that waits."""
    if news.faults:
        shown = [
            LineView(who=say_place(fault, words), what=_short(say_reason(fault.reason, words)))
            for fault in news.faults[:rows]
        ]
        hidden = len(news.faults) - len(shown)
        return tuple(shown), words.count("directory.more_faults", hidden) if hidden else ""
    if news.event is not DirectoryEvent.HELD:
        return (), ""
    shown = [LineView(who=_short(line.target), what=_short(say_line(line, words))) for line in news.lines[:rows]]
    hidden = len(news.lines) - len(shown)
    return tuple(shown), words.count("directory.more", hidden) if hidden else ""


def _short(text: str) -> str:
    line = show_line(text)
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _shown(fact: CodeFact) -> str:
    if isinstance(fact, tuple):
        more = ", …" if len(fact) > _LONGEST_LIST else ""
        return ", ".join(map(_shown, fact[:_LONGEST_LIST])) + more
    return show_line(str(fact))
