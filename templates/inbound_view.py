"""The view of an inbound SMS for a template: every value in words, in the reader's language and zone.

Not here: markup (the files in `mail/`), escaping (templates.render). The attributes of these classes are the public
names for customers' own templates; new ones may be added, none renamed. An address in a text stays text: it becomes no
link, since whoever sends an SMS may name any.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inbound.report import Exchanged, InboundReport, TurnDirection
from sms.lifecycle import MessageState
from sms.number import show_number
from sms.settings import Settings
from templates.brand import BrandView, view_brand
from templates.graphics import Graphic
from templates.shown_text import SHOWN_NAME, show, show_line
from templates.view import Fact, Tone
from templates.words import Words

_TEASER = 70
_LONGEST_EARLIER = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundReader:
    """For whom an inbound SMS is put in words, and what is known of its sender.

    `name` is that of the handset's owner in the customer's address book, empty if nobody knows it. `fallback`: the mail
    goes to an address that gets what those for whom it is did not. `answerable`: a reply becomes an SMS.
    """

    settings: Settings
    profile: str = ""
    name: str = ""
    fallback: bool = False
    answerable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangedView:
    """An earlier SMS of the conversation. `incoming`: the handset sent it; `state` is what became of ours."""

    incoming: bool
    who: str
    when: str
    text: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundView:
    """The mail of one inbound SMS. `sender` is the name if there is one, else the number."""

    language: str
    subject: str
    preheader: str
    kind_name: str
    tone: Tone
    sender: str
    name: str
    number: str
    own_number: str
    text: str
    gap_note: str
    late_note: str
    late_text: str
    fallback_note: str
    received: str
    keyword: str
    answerable: bool
    reply_note: str
    preview: bool
    facts: tuple[Fact, ...]
    earlier: tuple[ExchangedView, ...]
    footer: str
    sms: str
    customer: str
    brand: BrandView
    profile: str
    label_earlier: str


def view_inbound(
    report: InboundReport, reader: InboundReader, words: Words, *, rows: int | None = None, logo: Graphic | None = None
) -> InboundView:
    """Return the view of an inbound SMS with at most `rows` earlier ones, as many as the settings ask for if None."""
    settings = reader.settings
    number, name = show_line(show_number(report.phone)), show_line(reader.name)[:SHOWN_NAME]
    sender = name or number
    received = words.time(report.received_at, settings.time_zone)
    kind_name = words.say("inbound.late" if report.is_late else "inbound.kind")
    teaser = show_line(report.text)[:_TEASER] if settings.inbound_preview else ""
    most = settings.inbound_history if rows is None else rows
    return InboundView(
        language=words.language,
        # The same for all mails of a conversation, so that programs which go by it keep them together.
        subject=words.say("inbound.subject", number=number),
        preheader=" · ".join(filter(None, (teaser, kind_name, received))),
        kind_name=kind_name,
        tone=Tone.CALM,
        sender=sender,
        name=name,
        number=number,
        own_number=show_line(show_number(report.own_number)),
        text=show(report.text),
        gap_note=words.count("inbound.gap", len(report.missing), total=report.total) if report.missing else "",
        late_note=_note_late(report, words, settings.time_zone),
        late_text=_shorten(show_line(report.late_of.text)) if report.late_of is not None else "",
        fallback_note=words.say("inbound.fallback") if reader.fallback else "",
        received=received,
        keyword=show_line(report.keyword),
        answerable=reader.answerable,
        reply_note=words.say("inbound.reply" if reader.answerable else "inbound.no_reply"),
        preview=settings.inbound_preview,
        facts=tuple(_facts(report, name, number, received, words)),
        earlier=_earlier(report.earlier[:most], sender, words, settings.time_zone),
        footer=words.say("inbound.footer"),
        sms=show_line(report.public_id),
        customer=report.customer,
        brand=view_brand(report.customer, settings, words, logo),
        profile=reader.profile,
        label_earlier=words.say("inbound.earlier"),
    )


def _note_late(report: InboundReport, words: Words, zone: str) -> str:
    if not report.is_late:
        return ""
    if report.late_of is None:
        return words.say("inbound.late_of_unknown")
    return words.say("inbound.late_of", time=words.time(report.late_of.at, zone))


def _shorten(text: str) -> str:
    return text if len(text) <= _TEASER else f"{text[:_TEASER]}…"


def _facts(report: InboundReport, name: str, number: str, received: str, words: Words) -> Iterable[Fact]:
    values = (
        ("inbound.from", number if name else ""),
        ("inbound.to", show_line(show_number(report.own_number))),
        ("inbound.received", received),
        ("inbound.keyword", show_line(report.keyword)),
        ("inbound.id", show_line(report.public_id)),
    )
    return (Fact(label=words.say(key), value=value) for key, value in values if value)


def _earlier(earlier: Sequence[Exchanged], sender: str, words: Words, zone: str) -> tuple[ExchangedView, ...]:
    return tuple(
        ExchangedView(
            incoming=each.direction is TurnDirection.IN,
            who=sender
            if each.direction is TurnDirection.IN
            else show_line(each.by)[:SHOWN_NAME] or words.say("inbound.us"),
            when=words.time(each.at, zone),
            text=show(each.text)[:_LONGEST_EARLIER],
            state=_say_state(each.state, words),
        )
        for each in earlier
    )


def _say_state(state: str, words: Words) -> str:
    """Return what became of an earlier SMS of ours; this mail has no other place to say whose word a delivery is."""
    if not state:
        return ""
    return words.say("inbound.delivered" if state == MessageState.DELIVERED else f"state.{state}")
