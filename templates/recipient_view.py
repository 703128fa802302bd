"""One recipient of a report → its view: state, reason, text, what was cut or replaced, parts.

Not here: the state of the whole job (verdict).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from countries.findings import Effect
from countries.rules import RuleName
from sms.alphabet import Became, what_became
from sms.lifecycle import OPEN, SUCCESS, MessageState
from sms.message import Replacement
from sms.next_steps import STEPS, Step
from sms.number import SenderKind, parse_sender_id, show_number
from sms.outcome import ProblemCode, Refusal
from sms.report import JobReport, ReportedMessage, ReportedPart
from templates.country_words import say_deeds, say_finding
from templates.shown_text import SHOWN_NAME, show, show_line
from templates.view import PartView, RecipientView, ReplacedView, Tone
from templates.words import Words

TRIAL = ProblemCode.DRY_RUN
_SHOWN_ADDRESS = 100
_CUT_SHOWN = 120
_TONES = {
    MessageState.DELIVERED: Tone.GOOD,
    MessageState.SUBMITTED: Tone.CALM,
    MessageState.UNKNOWN: Tone.UNSURE,
    MessageState.QUEUED: Tone.OPEN,
    MessageState.SUBMITTING: Tone.OPEN,
}
_FINE = frozenset({Tone.GOOD, Tone.CALM, Tone.OPEN})
_SENT = frozenset({MessageState.SUBMITTED, MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.UNKNOWN})
_CONFIRMED = "confirmed"
_PROBLEMS = frozenset(map(str, ProblemCode))
_REFUSALS_ONLY = frozenset(map(str, Refusal)) - _PROBLEMS


def view_recipient(message: ReportedMessage, report: JobReport, words: Words, zone: str) -> RecipientView:
    """Return the view of one recipient."""
    preview = report.settings.preview
    cut_note = ""
    if message.cut:
        characters = words.count("count.characters", len(message.cut))
        kept = words.number(len(message.text))
        cut_note = (
            words.say("text.cut_shown", kept=kept) if preview else words.say("text.cut_hidden", characters=characters)
        )
    sentence = explain_message(message, words, zone, settled=report.settled_at is not None)
    sender = show_sender(message.sender_id)
    name = show_line(message.name)[:SHOWN_NAME]
    detail = find_detail(message, words)
    cut_start, cut_more = _shorten(show(message.cut), words) if preview else ("", "")
    parts = tuple(_view_part(part, words, trial=message.reason == TRIAL) for part in message.parts)
    return RecipientView(
        number=address_of(message),
        name=name,
        who=f"{name} ({address_of(message)})" if name else address_of(message),
        state=say_state(message, words),
        tone=tone_of(message),
        sentence=sentence,
        note=sentence if _adds_to_state(message) else "",
        detail=detail,
        step=_say_step(message, detail, words),
        rules=say_deeds(message.findings, message.country, words, sender),
        text=show(message.text) if preview else "",
        cut=show(message.cut) if preview else "",
        cut_start=cut_start,
        cut_more=cut_more,
        cut_note=cut_note,
        replaced=tuple(_view_replaced(message.replaced, words)) if preview else (),
        parts=parts,
        parts_differ=len({(part.state, part.code) for part in parts}) > 1,
        parts_line=parts_line(message.parts, words),
        sender=sender,
        changed=words.time(message.updated_at, zone),
        delivered=words.time(delivered_at(message), zone) if message.claimed is MessageState.DELIVERED else "",
    )


def state_word(message: ReportedMessage) -> str:
    """Return the key of the words for what may be claimed of a message: that of its state, but for weak receipts."""
    return _CONFIRMED if message.claimed is not message.state else message.state.value


def _adds_to_state(message: ReportedMessage) -> bool:
    is_plain = message.state is not MessageState.UNKNOWN and message.claimed is message.state
    return bool(message.reason) or not is_plain or _is_partial(message)


def address_of(message: ReportedMessage) -> str:
    """Return the number of a recipient in groups, or the address as given if it has none, fit for one line."""
    return _show_number(message.number) if message.number else show_line(message.given)[:_SHOWN_ADDRESS]


_show_number = lru_cache(maxsize=4096)(show_number)


def _shorten(text: str, words: Words) -> tuple[str, str]:
    """Return the first two lines of a text, and how many characters follow if it is longer."""
    start = "\n".join(text.split("\n")[:2])[:_CUT_SHOWN]
    rest = len(text) - len(start)
    if rest <= _CUT_SHOWN // 2 and "\n" not in text[len(start) :]:
        return text, ""
    return start, words.count("text.cut_more", rest, shown=words.number(rest))


def explain_message(message: ReportedMessage, words: Words, zone: str, *, settled: bool) -> str:
    """Return the state of one message in whole sentences, with the reason; they say only what is known."""
    reason = words.explain(message.reason, show_line(message.problem)) if message.reason else ""
    if message.state is MessageState.SUBMITTED and not settled:
        sentence = words.say("sentence.awaiting")
    elif message.claimed is not message.state:
        receipts = (finding for finding in message.findings if finding[0] == RuleName.RECEIPTS)
        rule = say_finding(next(receipts), message.country, words)
        sentence = words.say("sentence.confirmed", time=words.time(delivered_at(message), zone), rule=rule)
    elif message.state is MessageState.DELIVERED:
        sentence = words.say("sentence.delivered", time=words.time(delivered_at(message), zone))
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


def find_detail(message: ReportedMessage, words: Words) -> str:
    """Return what exactly was refused, or the route of a dry run; empty where nothing more is known."""
    if message.reason == TRIAL and message.problem:
        return f"{words.say('label.route')}: {show_line(message.problem)}"
    if any(effect == Effect.REFUSED for _, effect, _ in message.findings):
        return ""  # rules of the country say it in the reader's language
    refused = message.reason in _REFUSALS_ONLY and message.problem
    return show_line(words.detail(message.problem)) if refused else ""


class Loss(StrEnum):
    """What a phone gets less of than was written."""

    CUT = "cut"
    REPLACED = "replaced"


def tone_of(message: ReportedMessage) -> Tone:
    """Return the colour of a message: that of its state, but no good one where the phone gets less than was written."""
    return Tone.UNSURE if loss_of(message) is not None else _tone_of_state(message)


def _tone_of_state(message: ReportedMessage) -> Tone:
    if message.reason == TRIAL or is_taken_back(message):
        return Tone.CALM
    return _TONES.get(message.claimed, Tone.BAD)


def is_taken_back(message: ReportedMessage) -> bool:
    """Return whether somebody wanted that it is not sent, which is no failure."""
    return message.state is MessageState.CANCELLED and message.reason == ProblemCode.CANCELLED


def loss_of(message: ReportedMessage) -> Loss | None:
    """Return what a message lost on its way to the phone; None for nothing, and where its state is worse news.

    A relative of a character, such as `...` for `…`, says the same and is no loss.
    """
    if not (message.cut or message.replaced) or _tone_of_state(message) not in _FINE or is_taken_back(message):
        return None
    if message.cut:
        return Loss.CUT
    lost = any(what_became(item) is not Became.RELATIVE for item in message.replaced)
    return Loss.REPLACED if lost else None


def delivered_at(message: ReportedMessage) -> datetime:
    """Return when the report of the last part's delivery came."""
    return max((part.reported_at for part in message.parts if part.reported_at), default=message.updated_at)


def was_sent(message: ReportedMessage) -> bool:
    """Return whether a carrier has it, or may have."""
    return message.state in _SENT or any(part.billed for part in message.parts)


def step_of(message: ReportedMessage) -> Step | None:
    """Return what its sender can do about a message; None while it is on its way, and where nothing is amiss."""
    if message.state in OPEN | SUCCESS or message.reason == TRIAL:
        return None
    if message.state is MessageState.UNKNOWN:
        return Step.ASK_RECIPIENT
    if message.state is MessageState.EXPIRED and not was_sent(message):
        return Step.SEND_LATER
    return STEPS.get(message.reason, Step.TRY_PHONE if was_sent(message) else Step.ASK_ADMINISTRATOR)


_SAID_BY_DETAIL = frozenset({Step.CHECK_NUMBER, Step.CORRECT_OPTION})


def _say_step(message: ReportedMessage, detail: str, words: Words) -> str:
    step = step_of(message)
    return "" if step is None or (detail and step in _SAID_BY_DETAIL) else words.say(f"step.{step}")


def say_state(message: ReportedMessage, words: Words) -> str:
    """Return the state of a message in a word or two, and that the phone gets less than was written."""
    state = words.say("state.would-send" if message.reason == TRIAL else f"state.{state_word(message)}")
    loss = loss_of(message)
    return state if loss is None else words.say(f"text.but_{loss}", state=state)


def _view_replaced(replaced: Sequence[Replacement], words: Words) -> Iterable[ReplacedView]:
    blank, nothing = words.say("text.blank"), words.say("text.nothing")
    for (old, new), times in Counter((item.old, item.new) for item in replaced).items():
        yield ReplacedView(
            old=show_line(old) or blank,
            new=(show_line(new) or blank) if new else nothing,
            times=words.say("text.times", n=times) if times > 1 else "",
        )


def note_replaced(messages: Sequence[ReportedMessage], words: Words) -> str:
    """Return the sentence about the replaced characters; a stand-in is no relative."""
    became = {what_became(item) for message in messages for item in message.replaced} or {Became.RELATIVE}
    return words.say("text.replaced" if len(became) > 1 else f"text.replaced-{became.pop()}")


def show_sender(sender_id: str) -> str:
    """Return a sender ID as a phone shows it."""
    known = parse_sender_id(sender_id) if sender_id else None
    if known is not None and known.kind is SenderKind.NUMERIC:
        return _show_number(known.value)
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


def parts_line(parts: Sequence[ReportedPart], words: Words) -> str:
    """Return how many parts there are, and how many are billed if that differs; empty without any."""
    if not parts:
        return ""
    billed = sum(part.billed for part in parts)
    counted = words.count("count.parts", len(parts))
    return f"{counted}, {words.count('count.billed', billed)}" if 0 < billed < len(parts) else counted
