"""A report → the view of its status mail.

A sentence says only what is known: «reported by the network», «accepted by the carrier», «the carrier may have it; it
was not sent again». Not here: one recipient (recipient_view), the state in a few words (verdict), the table of facts
(fact_view).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from countries.rules import RuleName
from sms.lifecycle import MessageState
from sms.report import Findings, JobReport, NoticeKind, ReportedMessage
from templates.brand import view_brand
from templates.country_words import say_deeds, say_notes
from templates.fact_view import list_facts, list_settings
from templates.graphics import Graphic
from templates.recipient_view import TRIAL, delivered_at, note_replaced, show_sender, view_recipient, was_sent
from templates.results import MOST_RESULTS
from templates.shown_text import show_line
from templates.verdict import choose_rows, say_headline, say_intro, say_subject, say_tally, worst_tone
from templates.view import RecipientView, StatusView
from templates.words import Words

_TEASER = 70
_MANY = 4
"""What rules did to so many recipients is said once, above them."""


def view_report(
    kind: NoticeKind, report: JobReport, words: Words, *, rows: int, logo: Graphic | None = None
) -> StatusView:
    """Return the view of a report with at most `rows` recipients, failed ones first if there are more."""
    zone = report.settings.time_zone
    messages = report.messages
    shown, hidden = choose_rows(messages, rows)
    recipients = tuple(view_recipient(message, report, words, zone) for message in shown)
    common = _common_deeds(report, words)
    recipients = tuple(
        replace(one, rules=tuple(rule for rule in one.rules if rule not in common)) for one in recipients
    )
    single = len(messages) == 1
    tone = worst_tone(messages)
    headline = say_headline(kind, messages, report.summary, words)
    shared = None if single else _shared(shown, recipients)
    teller = recipients[0] if single else shared
    who = recipients[0].who if single else words.count("count.recipients", len(messages))
    lead = recipients[0].sentence if single else _lead_of_many(kind, report, words)
    if kind is NoticeKind.DRY_RUN and single and messages[0].reason == TRIAL:
        lead = ""  # the headline says it
    delivered = report.summary.delivered
    more = _say_more(hidden, len(messages), words)
    return StatusView(
        kind=kind,
        language=words.language,
        subject=say_subject(
            report, headline, who, recipients[0].state if single else say_tally(kind, report, words), words
        ),
        preheader=" · ".join(filter(None, (headline, who, show_line(teller.text)[:_TEASER] if teller else ""))),
        kind_name=words.say(f"kind.{kind}"),
        headline=headline,
        intro=say_intro(kind, report, words, zone),
        lead=lead,
        tone=tone,
        single=single,
        preview=report.settings.preview,
        facts=(
            *list_facts(report, recipients, words, zone),
            *(list_settings(report, words) if kind is NoticeKind.DRY_RUN else ()),
        ),
        recipients=recipients,
        shared=shared,
        more=more,
        notes=(
            *_notes(report, words),
            *(f"{said} ({words.count('count.recipients', n)})" for said, n in common.items()),
        ),
        cancel_address=show_line(report.cancel_address),
        cancel_link=_cancel_link(report),
        label_cancel=words.say("label.cancel"),
        network_note=words.say("text.network") if delivered and delivered < len(messages) else "",
        footer=words.say("text.footer"),
        job=show_line(report.public_id),
        customer=show_line(report.customer),
        brand=view_brand(report.customer, report.settings, words, logo),
        profile=show_line(report.profile),
        label_recipients=words.say("label.recipients"),
        label_text=words.say(_label_of_text(kind, messages)),
        label_cut=words.say("label.cut"),
        label_replaced=words.say("label.replaced"),
        label_parts=words.say("label.parts"),
        note_replaced=note_replaced(shown, words),
    )


def _label_of_text(kind: NoticeKind, messages: Sequence[ReportedMessage]) -> str:
    if kind is NoticeKind.DRY_RUN:
        return "label.would-send"
    return "label.sent" if any(map(was_sent, messages)) else "label.waiting"


def _lead_of_many(kind: NoticeKind, report: JobReport, words: Words) -> str:
    """Return how many recipients ended how, where the headline does not say it."""
    states = {message.claimed for message in report.messages}
    if states == {MessageState.DELIVERED}:
        last = max(map(delivered_at, report.messages))
        return words.say("sentence.all_delivered", time=words.time(last, report.settings.time_zone))
    return say_tally(kind, report, words) if len(states) > 1 else ""


def _cancel_link(report: JobReport) -> str:
    """Return a link that opens a mail to the address that takes the job back, empty for none."""
    local, _, domain = report.cancel_address.rpartition("@")
    # RFC 6068 §2: a plus sign may stand as it is, but programs that read links as forms take it for a blank.
    return f"mailto:{quote(local)}@{quote(domain)}?subject={quote(f'cancel {report.public_id}')}" if local else ""


def _say_more(hidden: int, total: int, words: Words) -> str:
    """Return how many recipients the mail does not show, and that the attached table does."""
    if not hidden:
        return ""
    if total > MOST_RESULTS:
        attached = words.say("text.attached", shown=words.number(MOST_RESULTS))
    else:
        attached = words.say("text.attached_all")
    return f"{words.count('text.more', hidden)} {words.say('text.more_failed_first')} {attached}"


def _notes(report: JobReport, words: Words) -> tuple[str, ...]:
    """Return what the sender should know: options that were not heeded, and what rules of countries may do."""
    ignored = " ".join(map(show_line, report.ignored_options))
    unheeded = (words.count("text.ignored_options", len(report.ignored_options), options=ignored),) if ignored else ()
    return (*unheeded, *say_notes(((message.country, _notable(message, report)) for message in report.messages), words))


def _common_deeds(report: JobReport, words: Words) -> dict[str, int]:
    """Return what rules did to so many recipients that it is said once for all, and to how many."""
    alike = Counter((message.country, message.findings, message.sender_id) for message in report.messages)
    met = Counter[str]()
    for (country, findings, sender), number in alike.items():
        for said in say_deeds(findings, country, words, show_sender(sender)):
            met[said] += number
    return {said: number for said, number in met.items() if number >= _MANY}


def _notable(message: ReportedMessage, report: JobReport) -> Findings:
    """Return what is told of a message's rules; what receipts are worth only where one is awaited."""
    if report.settings.delivery_receipt and message.claimed is message.state:
        return message.findings
    return tuple(finding for finding in message.findings if finding[0] != RuleName.RECEIPTS)


def _shared(shown: Sequence[ReportedMessage], recipients: Sequence[RecipientView]) -> RecipientView | None:
    texts = {(message.text, message.cut, message.replaced) for message in shown if message.text}
    if len(texts) != 1:
        return None
    return next(view for message, view in zip(shown, recipients, strict=True) if message.text)
