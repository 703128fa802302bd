"""Everything that is remembered of one job, notice, dropped mail or inbound SMS, as lines or as JSON.

Not here: what the rows mean (store.views, store.outbox_views, store.inbound_views), the commands (queue, inbound).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from cli.context import opened
from cli.printed import DROPPED_AS, TLS_ASKED, count, plain, when
from cli.use_cases import views
from gateway.admin.trace import find_trace
from sms.lifecycle import MessageState
from sms.message import MailOrigin, ReceiptState
from sms.report import ReportedMessage
from store.dropped import TracedDrop
from store.inbound_views import InboundTrace
from store.outbox_views import TracedNotice
from store.views import Trace, TracedPartAttempt, TracedReceipt
from templates.country_words import say_finding
from templates.words import FALLBACK, Dictionary


def print_trace(file: Path, name: str, *, as_json: bool) -> None:
    """Print what is remembered under an id; ends the command where nothing is."""
    with opened(file) as (database, _keys):
        trace = database.read_now(partial(find_trace, name=name))
    if trace is None:
        raise click.ClickException(f"{name}: there is no job or inbound SMS of this id, and no mail of it was dropped")
    if as_json:
        click.echo(json.dumps(asdict(trace), default=plain, indent=2, ensure_ascii=False))
        return
    match trace:
        case Trace():
            lines = trace_lines(trace)
        case InboundTrace():
            lines = inbound_lines(trace)
        case TracedNotice():
            lines = _traced_notice_lines(trace)
        case TracedDrop():
            lines = _dropped_lines(trace)
    for line in lines:
        click.echo(line)


def trace_lines(trace: Trace) -> list[str]:
    """Return a trace as lines for a terminal: the mail, each message with its parts and receipts, each notice."""
    report = trace.report
    ended = f"settled {when(report.settled_at)}" if report.settled_at else "open"
    whose = f"customer {report.customer}, profile {report.profile or '-'}, user {report.user or '-'}"
    lines = [
        f"Job {report.public_id}: {ended}, accepted {when(report.accepted_at)} UTC",
        f"  {whose}, service {report.service}",
    ]
    if report.sandbox:
        lines.append("  sandbox: sent with a sandbox key, so no carrier got it and nothing is billed")
    if trace.proof.proof:
        lines.append(f"  proven by {trace.proof.proof}: {trace.proof.evidence or '-'}")
    if trace.proof.service_by:
        lines.append(f"  service named by {trace.proof.service_by}")
    if report.mail is not None:
        lines += _mail_lines(report.mail)
    labels = f"cost centre {report.settings.cost_centre or '-'}, customer reference {report.reference or '-'}"
    lines += [f"  {labels}", f"  settings not built-in:{'' if report.origins else ' none'}"]
    for name, (layer, origin) in sorted(report.origins.items()):
        value = views.spoken_value(getattr(report.settings, name, ""))
        lines.append(f"    {name} = {value or '(empty)'} by {layer} ({origin})")
    for message in report.messages:
        lines += _message_lines(message, trace)
    for notice in trace.notices:
        lines += _traced_notice_lines(notice)
    return lines


def inbound_lines(trace: InboundTrace) -> list[str]:
    """Return the trace of an inbound SMS as lines: whose it is, each effect, what became of its mails, pushes, jobs."""
    gap = f" without {', '.join(map(str, trace.missing))}" if trace.missing else ""
    keyword = f", keyword «{trace.keyword}»" if trace.keyword else ""
    whose = f"customer {trace.customer}{keyword}" if trace.customer else f"nobody's: {trace.reason}"
    late = f", late part of {trace.late_of}" if trace.late_of else ""
    lines = [
        f"SMS {trace.public_id}: received {when(trace.received_at)}, handled {when(trace.handled_at)} UTC",
        f"  from {trace.source} to {trace.destination} by {trace.carrier}, {count(trace.total, 'part')}{gap}{late}",
        f"  {whose}",
    ]
    for effect in trace.effects:
        action = f" ({effect.action})" if effect.action else ""
        made = " ".join(filter(None, (effect.target, effect.note and f"[{effect.note}]", effect.made)))
        lines.append(f"Effect {effect.kind}{action}: {made}".rstrip(": "))
    for notice in trace.notices:
        lines += _traced_notice_lines(notice)
    for job in trace.jobs:
        lines += trace_lines(job)
    return lines


def _traced_notice_lines(notice: TracedNotice) -> list[str]:
    problem = f", {notice.problem}" if notice.problem else ""
    what = f"{notice.kind} by {notice.channel} to {notice.recipient}"
    return [
        f"Notice {notice.public_id}: {what}: {notice.state}{problem}",
        *(
            f"  {when(attempt.at)} {attempt.outcome} {attempt.host} {attempt.address} tls={attempt.tls or 'none'}"
            f" policy={attempt.policy or '-'} reply={attempt.reply or '-'}"
            for attempt in notice.attempts
        ),
    ]


def _dropped_lines(dropped: TracedDrop) -> list[str]:
    return [
        f"Mail {dropped.public_id}: taken {when(dropped.dropped_at)} UTC and not sent: {DROPPED_AS[dropped.reason]}",
        f"  by its field {dropped.mark}",
        f"  customer {dropped.customer}, from host {dropped.client or '-'}",
        f"  mail from <{dropped.reverse_path}>, author {dropped.header_from or '-'}",
        f"  {dropped.mail_id or 'no Message-ID'}",
    ]


def _mail_lines(mail: MailOrigin) -> list[str]:
    return [
        f"  mail from <{mail.reverse_path}>, author {mail.header_from}, {mail.message_id or 'no Message-ID'}",
        f"  ENVID {mail.envid or '-'}, RET {mail.ret or '-'}, from host {mail.helo or '-'}",
        *([f"  TLS: {TLS_ASKED[mail.tls_tag]}"] if mail.tls_tag else []),
    ]


def _message_lines(message: ReportedMessage, trace: Trace) -> list[str]:
    reason = f", {message.reason}: {message.problem}" if message.reason else ""
    reason += f" ({message.cause})" if message.cause and message.state is MessageState.QUEUED else ""
    alphabet = f"{message.alphabet} with {message.languages}" if message.languages else message.alphabet
    size = f"{alphabet}, {count(len(message.parts), 'part')}, sender {message.sender_id or 'of the carrier'}"
    state = f"{message.state}{_going_out(message)}{reason}"
    name = f", {message.name}" if message.name else ""
    lines = [
        f"Message {message.public_id}: {message.given} = {message.number or 'no number'}{name}: {state}",
        f"  {size}, {count(len(message.replaced), 'character')} replaced, {len(message.cut)} cut",
    ]
    if message.parameters:
        lines.append(f"  parameters {message.parameters}")
    lines += [
        f"  rerouted {when(item.rerouted_at)}: from {item.before} to {item.after} by {item.who}"
        for item in trace.reroutes
        if item.message_id == message.public_id
    ]
    lines += [f"  rules: {line}" for line in _rules(message)]
    receipts = [receipt for receipt in trace.receipts if receipt.message_id == message.public_id]
    for part in message.parts:
        lines += [
            f"  part {attempt.part}/{part.total}: {_given_back(attempt)}"
            for attempt in trace.attempts
            if (attempt.message_id, attempt.part) == (message.public_id, part.index)
        ]
        cost = f", cost {part.cost_label}" if part.cost_label else ""
        cost += f", price {part.price}" if part.price else ""
        network = f", network {part.network}" if part.network else ""
        error = f", error {part.error}" if part.error else ""
        again = f", sent {part.resends + 1} times for want of an answer" if part.resends else ""
        lines.append(
            f"  part {part.index}/{part.total}: {part.state} at {part.carrier or '-'},"
            f" id {part.carrier_id or '-'}{network}{cost}{error}{again}"
        )
        if part.reported_at is None:
            lines += [f"    {_on_the_way(receipt)}" for receipt in _last_on_the_way(receipts, part.index)]
    lines += [
        f"  receipt {when(receipt.received_at)}: part {receipt.part} {_said(receipt)} {receipt.error}".rstrip()
        for receipt in receipts
    ]
    return lines


def _rules(message: ReportedMessage) -> list[str]:
    """Return a line for each rule of the country: its name, its effect, and both in words."""
    if not message.findings:
        return []
    words = Dictionary().words(FALLBACK)
    return [
        f"{finding[0]} {finding[1]}: {say_finding(finding, message.country, words, message.sender_id)}"
        for finding in message.findings
    ]


def _given_back(attempt: TracedPartAttempt) -> str:
    accepted = f", id {attempt.carrier_id or '-'}" if attempt.submitted_at else ""
    said = "".join(
        f", {name} {value}"
        for name, value in (
            ("network", attempt.network),
            ("cost", attempt.cost_label),
            ("price", attempt.price),
            ("error", attempt.error),
        )
        if value
    )
    return f"{attempt.state} at {attempt.carrier}{accepted}{said}, given to the next {when(attempt.ended_at)}"


def _going_out(message: ReportedMessage) -> str:
    if message.state is not MessageState.QUEUED:
        return ""
    due = f", due {when(message.due_at)}" if message.due_at is not None else ""
    if not message.held:
        return due
    # What was tried is due as soon as it is released, what was not at its sender's time.
    is_scheduled = message.due_at is not None and message.due_at > message.updated_at and not message.reason
    return f", held{due if is_scheduled else ''}"


def _last_on_the_way(receipts: Sequence[TracedReceipt], part: int) -> list[TracedReceipt]:
    """Return the last word of the network on a part before it said what became of it; none where it said nothing."""
    return [receipt for receipt in receipts if receipt.part == part and receipt.intermediate][-1:]


def _on_the_way(receipt: TracedReceipt) -> str:
    error = f", error {receipt.error}" if receipt.error else ""
    word = f', "{receipt.word}" has no known meaning' if receipt.state == ReceiptState.OTHER else ""
    return f"network: under way, {when(receipt.received_at)}{error}{word}"


def _said(receipt: TracedReceipt) -> str:
    return f"{receipt.state} ({receipt.word})" if receipt.word else receipt.state
