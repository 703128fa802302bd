"""The view of a report for a template: every value in words, in the reader's language and zone.

Not here: markup (the files in `mail/`), escaping (templates.render). The attributes of these classes are the public
names for customers' own templates; new ones may be added, none renamed. A sentence says only what is known: «the
network reports delivery», «accepted by the carrier», «the carrier may have it; it was not sent again».
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sms.alphabet import Became, find_strange, what_became
from sms.lifecycle import OPEN, MessageState, Summary
from sms.message import Alphabet, Replacement
from sms.number import SenderKind, parse_sender_id
from sms.outcome import ProblemCode, Refusal
from sms.parts import graphemes
from sms.report import JobReport, NoticeKind, ReportedMessage, ReportedPart
from sms.settings import TextSource, format_setting
from templates.shown_text import SHOWN_NAME, show, show_line
from templates.words import Words

_TEASER = 70
_SHOWN_ADDRESS = 100


class Tone(StrEnum):
    """The colour of a state; words always say the state too."""

    GOOD = "good"
    CALM = "calm"
    OPEN = "open"
    UNSURE = "unsure"
    BAD = "bad"


_TONES = {
    MessageState.DELIVERED: Tone.GOOD,
    MessageState.SUBMITTED: Tone.CALM,
    MessageState.UNKNOWN: Tone.UNSURE,
    MessageState.QUEUED: Tone.OPEN,
    MessageState.SUBMITTING: Tone.OPEN,
}
_COUNTED_BY = {"some_failed": "failed", "some_refused": "failed", "open": "open", "delayed": "open"}
_SOON = timedelta(minutes=1)
_TRIAL = ProblemCode.DRY_RUN
_BEFORE_SENDING = frozenset({NoticeKind.ACCEPTED, NoticeKind.DRY_RUN})
_TONE_ORDER = (Tone.BAD, Tone.UNSURE, Tone.OPEN, Tone.CALM, Tone.GOOD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the table of facts."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedView:
    """One replaced character, as shown, and how often if more than once."""

    old: str
    new: str
    times: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """One part of one SMS. `code` is the carrier's own error code, empty if there is none."""

    name: str
    state: str
    tone: Tone
    billed: bool
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientView:
    """One recipient: `name` is what the customer knows its number by, or empty; `who` is the name with the number.

    `sentence` says the state in full; `note` is the same if that adds to the short `state`, else empty. `text`, `cut`
    and `replaced` are empty without a preview; `cut_note` then still says that text was cut.
    """

    number: str
    name: str
    who: str
    state: str
    tone: Tone
    sentence: str
    note: str
    detail: str
    text: str
    cut: str
    cut_note: str
    replaced: tuple[ReplacedView, ...]
    parts: tuple[PartView, ...]
    parts_line: str
    sender: str
    changed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """One status mail.

    `single`: `recipients[0]` is the only one. With several, `shared` is one whose text is the same for all; None if the
    texts differ.
    """

    kind: NoticeKind
    language: str
    subject: str
    preheader: str
    kind_name: str
    headline: str
    intro: str
    lead: str
    tone: Tone
    single: bool
    preview: bool
    facts: tuple[Fact, ...]
    recipients: tuple[RecipientView, ...]
    shared: RecipientView | None
    more: str
    network_note: str
    footer: str
    job: str
    customer: str
    profile: str
    label_recipients: str
    label_text: str
    label_cut: str
    label_replaced: str
    label_parts: str
    note_replaced: str


def view_report(kind: NoticeKind, report: JobReport, words: Words, *, rows: int) -> StatusView:
    """Return the view of a report with at most `rows` recipients, failed ones first if there are more."""
    zone = report.settings.time_zone
    messages = report.messages
    shown, hidden = choose_rows(messages, rows)
    recipients = tuple(_view_recipient(message, report, words, zone) for message in shown)
    single = len(messages) == 1
    tone = _tone_of(messages)
    headline = _headline(kind, messages, report.summary, words)
    shared = None if single else _shared(shown, recipients)
    teller = recipients[0] if single else shared
    who = recipients[0].who if single else words.count("count.recipients", len(messages))
    lead = recipients[0].sentence if single else _tally(kind, report, words)
    if lead.rstrip(".") == headline or (kind is NoticeKind.DRY_RUN and single and messages[0].reason == _TRIAL):
        lead = ""  # the headline says it
    more = ""
    if hidden:
        more = f"{words.count('text.more', hidden)} {words.say('text.more_failed_first')}"
    waiting = kind is NoticeKind.ACCEPTED or tone is Tone.OPEN
    return StatusView(
        kind=kind,
        language=words.language,
        subject=_subject(kind, report, who, recipients[0] if single else None, words),
        preheader=" · ".join(filter(None, (headline, who, show_line(teller.text)[:_TEASER] if teller else ""))),
        kind_name=words.say(f"kind.{kind}"),
        headline=headline,
        intro=_intro(kind, messages, words, zone),
        lead=lead,
        tone=tone,
        single=single,
        preview=report.settings.preview,
        facts=(*_facts(report, recipients, words, zone), *(_settings(report) if kind is NoticeKind.DRY_RUN else ())),
        recipients=recipients,
        shared=shared,
        more=more,
        network_note=words.say("text.network") if any(m.state is MessageState.DELIVERED for m in messages) else "",
        footer=words.say("text.footer"),
        job=show_line(report.public_id),
        customer=show_line(report.customer),
        profile=show_line(report.profile),
        label_recipients=words.say("label.recipients"),
        label_text=words.say(_label_of_text(kind, waiting=waiting)),
        label_cut=words.say("label.cut"),
        label_replaced=words.say("label.replaced"),
        label_parts=words.say("label.parts"),
        note_replaced=_note_replaced(shown, words),
    )


def _label_of_text(kind: NoticeKind, *, waiting: bool) -> str:
    if kind is NoticeKind.DRY_RUN:
        return "label.would-send"
    return "label.waiting" if waiting else "label.sent"


def choose_rows(messages: Sequence[ReportedMessage], rows: int) -> tuple[Sequence[ReportedMessage], int]:
    """Return the messages to show and how many are left out: all in their order, or the worst ones first."""
    if len(messages) <= rows:
        return messages, 0
    worst_first = sorted(messages, key=lambda message: _TONE_ORDER.index(_tone(message)))
    return worst_first[:rows], len(messages) - rows


def address_of(message: ReportedMessage) -> str:
    """Return the number of a recipient, or the address as given if it has none, fit for one line."""
    return message.number or show_line(message.given)[:_SHOWN_ADDRESS]


def explain_message(message: ReportedMessage, words: Words, *, settled: bool) -> str:
    """Return the state of one message in whole sentences, with the reason; they say only what is known."""
    reason = words.explain(message.reason, show_line(message.problem)) if message.reason else ""
    if message.state is MessageState.SUBMITTED and not settled:
        sentence = words.say("sentence.awaiting")
    else:
        sentence = words.say(f"sentence.{message.state}")
    resends = max((part.resends for part in message.parts), default=0)
    if message.state is MessageState.UNKNOWN and resends:
        sentence = words.say("sentence.unknown_resent", times=resends + 1)
    elif message.state is MessageState.UNKNOWN and message.reason != ProblemCode.NO_RECEIPT:
        sentence = f"{reason} {sentence}".strip()
    elif message.state not in {MessageState.DELIVERED, MessageState.SUBMITTED}:
        sentence = reason or sentence
    if _is_partial(message):
        delivered = _count_delivered(message)
        sentence += " " + words.say("sentence.partial", delivered=delivered, total=len(message.parts))
    return sentence


def _is_partial(message: ReportedMessage) -> bool:
    return 0 < _count_delivered(message) < len(message.parts)


def _count_delivered(message: ReportedMessage) -> int:
    return sum(part.state is MessageState.DELIVERED for part in message.parts)


def _tone(message: ReportedMessage) -> Tone:
    return Tone.CALM if message.reason == _TRIAL else _TONES.get(message.state, Tone.BAD)


def _tone_of(messages: Iterable[ReportedMessage]) -> Tone:
    present = {_tone(message) for message in messages}
    return next((tone for tone in _TONE_ORDER if tone in present), Tone.CALM)


def _headline(kind: NoticeKind, messages: Sequence[ReportedMessage], summary: Summary, words: Words) -> str:
    if len(messages) == 1:
        state = messages[0].state
        if messages[0].reason == _TRIAL:
            return words.say("headline.dry-run")
        if state in OPEN and kind in {NoticeKind.ACCEPTED, NoticeKind.DELAYED}:
            return words.say(f"headline.{kind}")
        return words.say(f"headline.{state}")
    if kind is NoticeKind.DRY_RUN:
        planned = sum(message.reason == _TRIAL for message in messages)
        return words.count("many.dry-run", planned, total=summary.total, planned=planned)
    counts = {"total": summary.total, "failed": summary.failed, "unknown": summary.unknown, "open": summary.open}
    name = _headline_of_many(kind, summary)
    if name in _COUNTED_BY:
        return words.count(f"many.{name}", counts[_COUNTED_BY[name]], **counts)
    return words.say(f"many.{name}", **counts)


def _headline_of_many(kind: NoticeKind, summary: Summary) -> str:
    if kind is NoticeKind.ACCEPTED:
        return "some_refused" if summary.failed else "accepted"
    if kind is NoticeKind.DELAYED and summary.open:
        return "delayed"
    if summary.failed:
        return "failed" if summary.failed == summary.total else "some_failed"
    if summary.unknown or summary.open:
        return "unknown" if summary.unknown else "open"
    if summary.delivered == summary.total:
        return "delivered"
    return "submitted" if summary.submitted == summary.total else "sent"


def _tally(kind: NoticeKind, report: JobReport, words: Words) -> str:
    summary = report.summary
    planned = sum(message.reason == _TRIAL for message in report.messages)
    counts = {
        "would-send": planned,
        "delivered": summary.delivered,
        "submitted": summary.submitted,
        "refused" if kind in _BEFORE_SENDING else "failed": summary.failed - planned,
        "unknown": summary.unknown,
        "open": summary.open,
    }
    # The number and its word stay on one line.
    return " · ".join(
        words.count(f"count.{name}", number).replace(" ", "\u00a0", 1) for name, number in counts.items() if number
    )


def _intro(kind: NoticeKind, messages: Sequence[ReportedMessage], words: Words, zone: str) -> str:
    if kind is NoticeKind.RESULT or all(_tone(message) is Tone.BAD for message in messages):
        return ""
    sentence = words.say(f"intro.{kind}")
    ends = [message.expires_at for message in messages if message.expires_at and message.state in OPEN]
    if kind is NoticeKind.DELAYED and ends:
        sentence += " " + words.say("intro.until", time=words.time(max(ends), zone))
    return sentence


def _subject(kind: NoticeKind, report: JobReport, who: str, only: RecipientView | None, words: Words) -> str:
    """Return a subject that stays in the mail's thread, or tells the state if the mail's subject was the text."""
    subject = show_line(report.mail.subject) if report.mail else ""
    source_is_subject = report.settings.text_source is not TextSource.BODY
    is_text = any(message.text and show_line(message.text) == subject for message in report.messages)
    if subject and not source_is_subject and not is_text:
        return subject if subject[:3].lower() == "re:" else words.say("subject.reply", subject=subject)
    if only is not None:
        return words.say("subject.one", number=who, state=only.state)
    return words.say("subject.many", recipients=who, summary=_tally(kind, report, words))


def _shared(shown: Sequence[ReportedMessage], recipients: Sequence[RecipientView]) -> RecipientView | None:
    texts = {(message.text, message.cut, message.replaced) for message in shown if message.text}
    if len(texts) != 1:
        return None
    return next(view for message, view in zip(shown, recipients, strict=True) if message.text)


def _view_recipient(message: ReportedMessage, report: JobReport, words: Words, zone: str) -> RecipientView:
    preview = report.settings.preview
    cut_note = ""
    if message.cut:
        characters = words.count("count.characters", len(message.cut))
        cut_note = words.say("text.cut_shown") if preview else words.say("text.cut_hidden", characters=characters)
    sentence = explain_message(message, words, settled=report.settled_at is not None)
    name = show_line(message.name)[:SHOWN_NAME]
    detail = ""
    trial = message.reason == _TRIAL
    if trial and message.problem:
        detail = f"{words.say('label.route')}: {show_line(message.problem)}"
    if message.reason in _REFUSALS_ONLY and message.problem:
        detail = show_line(words.detail(message.problem))
    return RecipientView(
        number=address_of(message),
        name=name,
        who=f"{name} ({address_of(message)})" if name else address_of(message),
        state=words.say("state.would-send" if trial else f"state.{message.state}"),
        tone=_tone(message),
        sentence=sentence,
        note=sentence if message.reason or message.state is MessageState.UNKNOWN or _is_partial(message) else "",
        detail=detail,
        text=show(message.text) if preview else "",
        cut=show(message.cut) if preview else "",
        cut_note=cut_note,
        replaced=tuple(_view_replaced(message.replaced, words)) if preview else (),
        parts=tuple(_view_part(part, words, trial=trial) for part in message.parts),
        parts_line=_parts_line(message.parts, words),
        sender=_show_sender(message.sender_id),
        changed=words.time(message.updated_at, zone),
    )


_PROBLEMS = frozenset(map(str, ProblemCode))
_REFUSALS_ONLY = frozenset(map(str, Refusal)) - _PROBLEMS


def _view_replaced(replaced: Sequence[Replacement], words: Words) -> Iterable[ReplacedView]:
    blank, nothing = words.say("text.blank"), words.say("text.nothing")
    for (old, new), times in Counter((item.old, item.new) for item in replaced).items():
        yield ReplacedView(
            old=show_line(old) or blank,
            new=(show_line(new) or blank) if new else nothing,
            times=words.say("text.times", n=times) if times > 1 else "",
        )


def _note_replaced(messages: Sequence[ReportedMessage], words: Words) -> str:
    """Return the sentence about the replaced characters; a stand-in is no relative."""
    became = {what_became(item) for message in messages for item in message.replaced} or {Became.RELATIVE}
    return words.say("text.replaced" if len(became) > 1 else f"text.replaced-{became.pop()}")


def _alphabet(report: JobReport, words: Words) -> str:
    """Return the sentence about UCS-2 for characters that GSM-7 lacks, with the first of them; else empty."""
    settings = report.settings
    texts = {message.text for message in report.messages if message.alphabet is Alphabet.UCS2 and message.text}
    if not texts or settings.coding is Alphabet.UCS2:
        return ""
    found = dict.fromkeys(one for text in texts for one in find_strange(graphemes(text), settings.unencodable))
    strange = [show_line(one) for one in found] if settings.preview else []
    if not strange:
        return words.say("text.ucs2")
    more = ["…"] if len(strange) > _NAMED_STRANGE else []
    return words.say("text.ucs2_for", characters=" ".join((*strange[:_NAMED_STRANGE], *more)))


_NAMED_STRANGE = 5


def _show_sender(sender_id: str) -> str:
    known = parse_sender_id(sender_id) if sender_id else None
    if known is not None and known.kind is SenderKind.NUMERIC:
        return f"+{known.value}"
    return show_line(sender_id)


def _view_part(part: ReportedPart, words: Words, *, trial: bool) -> PartView:
    bad = part.state not in {MessageState.DELIVERED, MessageState.SUBMITTED}
    return PartView(
        name=words.say("label.part", index=part.index, total=part.total),
        state=words.say("state.would-send" if trial else f"state.{part.state}"),
        tone=Tone.CALM if trial else _TONES.get(part.state, Tone.BAD),
        billed=part.billed,
        code="" if part.error in _PROBLEMS or not bad else show_line(part.error)[:_SHOWN_ADDRESS],
    )


def _parts_line(parts: Sequence[ReportedPart], words: Words) -> str:
    if not parts:
        return ""
    billed = sum(part.billed for part in parts)
    return f"{words.count('count.parts', len(parts))}, {words.count('count.billed', billed)}"


def _facts(report: JobReport, recipients: Sequence[RecipientView], words: Words, zone: str) -> Iterable[Fact]:
    only = recipients[0] if len(report.messages) == 1 else None
    parts = [part for message in report.messages for part in message.parts]
    senders = {message.sender_id for message in report.messages if message.sender_id}
    accepted = words.time(report.accepted_at, zone)
    changed = words.time(max((m.updated_at for m in report.messages), default=report.accepted_at), zone)
    start = max(
        (m.due_at for m in report.messages if m.due_at and (m.state in OPEN or m.reason == _TRIAL)), default=None
    )
    expiry = max((m.expires_at for m in report.messages if m.expires_at and m.state in OPEN), default=None)
    values = (
        ("label.to", only.who if only else ""),
        ("label.sender", only.sender if only else ", ".join(map(_show_sender, sorted(senders)[:3]))),
        ("label.answers", words.say(f"unanswerable.{report.unanswerable}") if report.unanswerable else ""),
        ("label.parts", _parts_line(parts, words)),
        ("label.alphabet", _alphabet(report, words)),
        ("label.cost_centre", _cost_centre(report)),
        ("label.limited", _limits(report)),
        ("label.reference", show_line(report.reference)),
        ("label.accepted_at", accepted),
        ("label.due_at", words.time(start, zone) if start and start - report.accepted_at > _SOON else ""),
        ("label.updated_at", changed if changed != accepted else ""),
        ("label.valid_until", words.time(expiry, zone) if expiry else ""),
        ("label.job", show_line(report.public_id)),
    )
    return (Fact(label=words.say(key), value=value) for key, value in values if value)


def _cost_centre(report: JobReport) -> str:
    """Return who pays, and which directory or file says so."""
    origin = report.origins.get("cost_centre", ("", ""))[1]
    value = show_line(report.settings.cost_centre)
    return f"{value} ({show_line(origin)})" if value and origin.startswith(("ldap:", "file:")) else value


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


def _settings(report: JobReport) -> Iterable[Fact]:
    """Yield the settings that somebody set, with their origin: names and layers are those of the commands."""
    for name, (layer, origin) in report.origins.items():
        value = show_line(format_setting(getattr(report.settings, name)))
        yield Fact(
            label=name, value=f"{value} ({layer}, {show_line(origin)})" if origin != layer else f"{value} ({layer})"
        )
