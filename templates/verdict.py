"""What became of a job, in a few words: headline, colour, subject, how many recipients ended how.

Not here: each recipient's state (recipient_view).
"""

from collections.abc import Iterable, Sequence

from sms.lifecycle import OPEN, Summary
from sms.report import JobReport, NoticeKind, ReportedMessage
from sms.settings import TextSource
from templates.fact_view import starts_at
from templates.recipient_view import TRIAL, Loss, is_taken_back, loss_of, state_word, tone_of
from templates.shown_text import show_line
from templates.view import Tone
from templates.words import Words

TONE_ORDER = (Tone.BAD, Tone.UNSURE, Tone.OPEN, Tone.CALM, Tone.GOOD)
_COUNTED_BY = {
    "some_failed": "failed",
    "some_refused": "failed",
    "some_cancelled": "cancelled",
    "open": "open",
    "delayed": "open",
}
_BEFORE_SENDING = frozenset({NoticeKind.ACCEPTED, NoticeKind.DRY_RUN})


def worst_tone(messages: Iterable[ReportedMessage]) -> Tone:
    """Return the colour of the worst news."""
    present = {tone_of(message) for message in messages}
    return next((tone for tone in TONE_ORDER if tone in present), Tone.CALM)


def say_headline(kind: NoticeKind, messages: Sequence[ReportedMessage], summary: Summary, words: Words) -> str:
    """Return the state of a job in a few words, and that phones get less than was written."""
    return _admit_loss(_say_state(kind, messages, summary, words), messages, summary, words)


def _admit_loss(state: str, messages: Sequence[ReportedMessage], summary: Summary, words: Words) -> str:
    losses = [loss for loss in map(loss_of, messages) if loss is not None]
    if not losses or summary.unknown or any(tone_of(message) is Tone.BAD for message in messages):
        return state
    worst = Loss.CUT if Loss.CUT in losses else Loss.REPLACED
    if len(losses) == len(messages):
        return words.say(f"text.but_{worst}", state=state)
    return words.count(f"text.but_{worst}_some", losses.count(worst), state=state)


def _say_state(kind: NoticeKind, messages: Sequence[ReportedMessage], summary: Summary, words: Words) -> str:
    if len(messages) == 1:
        state = messages[0].state
        if messages[0].reason == TRIAL:
            return words.say("headline.dry-run")
        if state in OPEN and kind in {NoticeKind.ACCEPTED, NoticeKind.DELAYED}:
            return words.say(f"headline.{kind}")
        return words.say(f"headline.{state_word(messages[0])}")
    if kind is NoticeKind.DRY_RUN:
        planned = sum(message.reason == TRIAL for message in messages)
        return words.count("many.dry-run", planned, total=summary.total, planned=planned)
    cancelled = sum(map(is_taken_back, messages))
    counts = {
        "total": summary.total,
        "failed": summary.failed - cancelled,
        "cancelled": cancelled,
        "unknown": summary.unknown,
        "open": summary.open,
    }
    name = _headline_of_many(kind, summary, cancelled)
    if name in _COUNTED_BY:
        return words.count(f"many.{name}", counts[_COUNTED_BY[name]], **counts)
    return words.say(f"many.{name}", **counts)


def _headline_of_many(kind: NoticeKind, summary: Summary, cancelled: int) -> str:
    failed = summary.failed - cancelled
    if kind is NoticeKind.ACCEPTED:
        return "some_refused" if failed else "accepted"
    if kind is NoticeKind.DELAYED and summary.open:
        return "delayed"
    worst_first = {
        "failed": failed,
        "unknown": summary.unknown,
        "open": summary.open,
        "cancelled": cancelled,
        "delivered": summary.delivered,
        "submitted": summary.submitted,
    }
    worst = next(name for name, number in worst_first.items() if number)
    if worst_first[worst] == summary.total or worst in {"unknown", "open"}:
        return worst
    return f"some_{worst}" if worst in {"failed", "cancelled"} else "sent"


def say_tally(kind: NoticeKind, report: JobReport, words: Words) -> str:
    """Return how many recipients ended how."""
    summary = report.summary
    planned = sum(message.reason == TRIAL for message in report.messages)
    cancelled = sum(map(is_taken_back, report.messages))
    counts = {
        "would-send": planned,
        "delivered": summary.delivered,
        "submitted": summary.submitted,
        "refused" if kind in _BEFORE_SENDING else "failed": summary.failed - planned - cancelled,
        "cancelled": cancelled,
        "unknown": summary.unknown,
        "open": summary.open,
    }
    # The number and its word stay on one line.
    return " · ".join(
        words.count(f"count.{name}", number).replace(" ", "\u00a0", 1) for name, number in counts.items() if number
    )


def say_intro(kind: NoticeKind, report: JobReport, words: Words, zone: str) -> str:
    """Return why this mail comes; empty for a result."""
    messages = report.messages
    if kind is NoticeKind.RESULT or all(tone_of(message) is Tone.BAD for message in messages):
        return ""
    start = starts_at(report)
    if kind is NoticeKind.ACCEPTED and start:
        # Where a country delays some of them, or its rate all but one, only the last is known by its time.
        differ = len({message.due_at for message in messages if message.due_at}) > 1
        return words.say("intro.scheduled-last" if differ else "intro.scheduled", time=words.time(start, zone))
    sentence = words.say(f"intro.{kind}")
    ends = [message.expires_at for message in messages if message.expires_at and message.state in OPEN]
    if kind is NoticeKind.DELAYED and ends:
        sentence += " " + words.say("intro.until", time=words.time(max(ends), zone))
    return sentence


def say_subject(report: JobReport, headline: str, who: str, state: str, words: Words) -> str:
    """Return a subject that begins with the result; the mail's own follows, unless that was the text."""
    subject = show_line(report.mail.subject) if report.mail else ""
    source_is_subject = report.settings.text_source is not TextSource.BODY
    is_text = any(message.text and show_line(message.text) == subject for message in report.messages)
    if subject and not source_is_subject and not is_text:
        return words.say("subject.result", result=headline, subject=subject)
    return words.say("subject.of_text", who=who, state=state)


def choose_rows(messages: Sequence[ReportedMessage], rows: int) -> tuple[Sequence[ReportedMessage], int]:
    """Return the messages to show and how many are left out: all in their order, or the worst ones first."""
    if len(messages) <= rows:
        return messages, 0
    worst_first = sorted(messages, key=lambda message: TONE_ORDER.index(tone_of(message)))
    return worst_first[:rows], len(messages) - rows
