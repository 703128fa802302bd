"""`mail2sms queue …` and `mail2sms status`: what waits, and everything that is remembered of one job.

Not here: what the rows mean (store.queue, store.views). These commands work beside a running gateway: it sees what
they changed within a second.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from functools import partial

import click

from cli.context import config_option, opened
from cli.shapes import change_command, each_command
from cli.words import count
from gateway.admin import queue as admin
from gateway.admin.views import spoken_value
from gateway.postmaster import unpack
from sms.lifecycle import MessageState
from sms.message import MailOrigin, ReceiptState
from sms.number import mask_number
from sms.outbox import OutboxState
from sms.report import ReportedMessage
from store.dropped import TracedDrop
from store.inbound import count_fragments
from store.outbox_views import (
    ListedForward,
    TracedNotice,
    WaitingNotice,
    find_content,
    list_forwards,
    list_notices,
)
from store.queue import (
    WaitingMessage,
    list_messages,
)
from store.views import Trace, TracedReceipt


def _when(instant: datetime | None) -> str:
    return "held" if instant is None else instant.strftime("%Y-%m-%d %H:%M:%S")


@click.command("list")
@config_option
@click.option("--limit", default=100, show_default=True, help="At most so many rows of each kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_queue(file: str, limit: int, *, as_json: bool) -> None:
    """List the messages and notices that have not ended."""
    with opened(file) as (_, database, _keys):
        messages = database.read_now(partial(list_messages, limit=limit))
        notices = database.read_now(partial(list_notices, limit=limit))
        fragments = database.read_now(count_fragments)
    if as_json:
        rows = {
            "messages": [asdict(item) for item in messages],
            "notices": [asdict(item) for item in notices],
            "inbound_parts": fragments,
        }
        click.echo(json.dumps(rows, default=_plain, indent=2))
        return
    now = datetime.now(UTC)
    for message in messages:
        click.echo(_message_line(message, now))
    for notice in notices:
        click.echo(_notice_line(notice))
    click.echo(f"{count(len(messages), 'message')}, {count(len(notices), 'notice')} wait; times are UTC.")
    if fragments:
        click.echo(f"{count(fragments, 'part')} of inbound SMS kept, to be joined with what comes.")


def _tries(attempts: int, reason: str, problem: str) -> str:
    return f"  ({count(attempts, 'attempt')}, {reason}: {problem})" if reason else ""


def _message_line(message: WaitingMessage, now: datetime) -> str:
    urgency = "express" if message.express else "normal"
    line = f"{message.message_id}  {message.job_id}  {message.state:<10} {urgency:<7} {_waits_for(message, now)}  "
    line += f"{mask_number(message.number)}  {message.customer}  via {message.route}"
    return line + _tries(message.attempts, message.reason, message.problem)


def _waits_for(message: WaitingMessage, now: datetime) -> str:
    """Say what a message waits for; only what is queued waits for us."""
    due = _when(message.due_at)
    if message.state != MessageState.QUEUED:
        return "with the carrier"
    if message.held:
        return f"held, scheduled {due}" if _is_scheduled(message, now) else "held"
    if _is_scheduled(message, now):
        return f"scheduled {due}"
    return f"due {due}" if message.due_at > now else f"due {due}, until a carrier takes it"


def _is_scheduled(message: WaitingMessage, now: datetime) -> bool:
    return message.due_at > now and not message.attempts


def _notice_line(notice: WaitingNotice) -> str:
    is_behind = notice.due_at is None and notice.state == OutboxState.QUEUED
    due = "behind an earlier one" if is_behind else f"due {_when(notice.due_at)}"
    line = f"{notice.notice_id}  {notice.job_id or '-'}  {notice.state:<10} {notice.kind:<9} {due}  "
    line += f"by {notice.channel} to {notice.recipient}"
    return line + _tries(notice.attempts, notice.reason, notice.problem)


@click.command()
@config_option
@click.argument("name", metavar="ID")
def show(file: str, name: str) -> None:
    """Show one job, message or notice with all that is known of it."""
    _print_trace(file, name, as_json=False)


@click.command()
@config_option
@click.argument("name", metavar="[ID]", required=False)
@click.option("--limit", default=100, show_default=True, help="At most so many rows.")
def postmaster(file: str, name: str | None, limit: int) -> None:
    """List the mails to the postmaster of the last thirty days; with an ID, print that mail as it came.

    Of those that were forwarded the content is kept no longer.
    """
    with opened(file) as (_, database, _keys):
        if name is None:
            for mail in database.read_now(partial(list_forwards, limit=limit)):
                click.echo(_forward_line(mail))
            return
        content = database.read_now(partial(find_content, name=name))
    if not content:
        raise click.ClickException(f"{name}: there is no mail of this id whose content is kept")
    click.echo(unpack(content), nl=False)


def _forward_line(mail: ListedForward) -> str:
    due = f" due {_when(mail.due_at)}" if mail.state == "queued" else ""
    line = f"{mail.mail_id}  {_when(mail.received_at)}  from {mail.client} ({mail.helo or '-'})  {mail.octets} octets  "
    state = "forwarded" if mail.state == OutboxState.SENT else mail.state
    return line + f"{state}{due}  {count(mail.attempts, 'attempt')}  {mail.last_reply or '-'}"


cancel_job = change_command(
    "cancel",
    "Cancel a job or message: what waits ends at once, a carrier that has it is asked for it back.",
    admin.cancel_job,
    click.argument("name", metavar="JOB"),
)


@click.command()
@config_option
@click.argument("job", metavar="JOB")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(file: str, job: str, *, as_json: bool) -> None:
    """Show the trace of one job, by its id or the mail's Message-ID: messages, parts, receipts, notices.

    The id of a message or a notice stands for its job. Of an alert or a mail to the postmaster: its attempts. Of a mail
    that was dropped: what it was, by which field.
    """
    _print_trace(file, job, as_json=as_json)


def _print_trace(file: str, name: str, *, as_json: bool) -> None:
    with opened(file) as (_, database, _keys):
        trace = database.read_now(partial(admin.find_trace, name=name))
    if trace is None:
        raise click.ClickException(f"{name}: there is no job of this id, and no mail of it was dropped")
    if as_json:
        click.echo(json.dumps(asdict(trace), default=_plain, indent=2, ensure_ascii=False))
        return
    match trace:
        case Trace():
            lines = trace_lines(trace)
        case TracedNotice():
            lines = _traced_notice_lines(trace)
        case TracedDrop():
            lines = _dropped_lines(trace)
    for line in lines:
        click.echo(line)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Enum):
        return value.value
    return str(value)


def trace_lines(trace: Trace) -> list[str]:
    """Return a trace as lines for a terminal: the mail, each message with its parts and receipts, each notice."""
    report = trace.report
    ended = f"settled {_when(report.settled_at)}" if report.settled_at else "open"
    whose = f"customer {report.customer}, profile {report.profile or '-'}, user {report.user or '-'}"
    lines = [
        f"Job {report.public_id}: {ended}, accepted {_when(report.accepted_at)} UTC",
        f"  {whose}, service {report.service}",
    ]
    if report.mail is not None:
        lines += _mail_lines(report.mail)
    labels = f"cost centre {report.settings.cost_centre or '-'}, customer reference {report.reference or '-'}"
    lines += [f"  {labels}", f"  settings not built-in:{'' if report.origins else ' none'}"]
    for name, (layer, origin) in sorted(report.origins.items()):
        value = spoken_value(getattr(report.settings, name, ""))
        lines.append(f"    {name} = {value or '(empty)'} by {layer} ({origin})")
    for message in report.messages:
        lines += _message_lines(message, trace)
    for notice in trace.notices:
        lines += _traced_notice_lines(notice)
    return lines


def _traced_notice_lines(notice: TracedNotice) -> list[str]:
    problem = f", {notice.problem}" if notice.problem else ""
    what = f"{notice.kind} by {notice.channel} to {notice.recipient}"
    return [
        f"Notice {notice.public_id}: {what}: {notice.state}{problem}",
        *(
            f"  {_when(attempt.at)} {attempt.outcome} {attempt.host} {attempt.address} tls={attempt.tls or 'none'}"
            f" policy={attempt.policy or '-'} reply={attempt.reply or '-'}"
            for attempt in notice.attempts
        ),
    ]


def _dropped_lines(dropped: TracedDrop) -> list[str]:
    return [
        f"Mail {dropped.public_id}: taken {_when(dropped.dropped_at)} UTC and not sent: {_DROPPED_AS[dropped.reason]}",
        f"  by its field {dropped.mark}",
        f"  customer {dropped.customer}, from host {dropped.client or '-'}",
        f"  mail from <{dropped.reverse_path}>, author {dropped.header_from or '-'}",
        f"  {dropped.mail_id or 'no Message-ID'}",
    ]


_DROPPED_AS = {"bounce": "a bounce", "receipt": "a receipt", "auto-reply": "an automatic answer"}


def _mail_lines(mail: MailOrigin) -> list[str]:
    return [
        f"  mail from <{mail.reverse_path}>, author {mail.header_from}, {mail.message_id or 'no Message-ID'}",
        f"  ENVID {mail.envid or '-'}, RET {mail.ret or '-'}, from host {mail.helo or '-'}",
    ]


def _message_lines(message: ReportedMessage, trace: Trace) -> list[str]:
    reason = f", {message.reason}: {message.problem}" if message.reason else ""
    size = f"{message.alphabet}, {count(len(message.parts), 'part')}, sender {message.sender_id or 'of the carrier'}"
    state = f"{message.state}{_going_out(message)}{reason}"
    lines = [
        f"Message {message.public_id}: {message.given} = {message.number or 'no number'}: {state}",
        f"  {size}, {count(len(message.replaced), 'character')} replaced, {len(message.cut)} cut",
    ]
    receipts = [receipt for receipt in trace.receipts if receipt.message_id == message.public_id]
    for part in message.parts:
        cost = f", cost {part.cost_label}" if part.cost_label else ""
        error = f", error {part.error}" if part.error else ""
        again = f", sent {part.resends + 1} times for want of an answer" if part.resends else ""
        lines.append(
            f"  part {part.index}/{part.total}: {part.state} at {part.carrier or '-'},"
            f" id {part.carrier_id or '-'}{cost}{error}{again}"
        )
        if part.reported_at is None:
            lines += [f"    {_on_the_way(receipt)}" for receipt in _last_on_the_way(receipts, part.index)]
    lines += [
        f"  receipt {_when(receipt.received_at)}: part {receipt.part} {_said(receipt)} {receipt.error}".rstrip()
        for receipt in receipts
    ]
    return lines


def _going_out(message: ReportedMessage) -> str:
    if message.state is not MessageState.QUEUED:
        return ""
    return ", held" if message.due_at is None else f", due {_when(message.due_at)}"


def _last_on_the_way(receipts: Sequence[TracedReceipt], part: int) -> list[TracedReceipt]:
    """Return the last word of the network on a part before it said what became of it; none where it said nothing."""
    return [receipt for receipt in receipts if receipt.part == part and receipt.intermediate][-1:]


def _on_the_way(receipt: TracedReceipt) -> str:
    error = f", error {receipt.error}" if receipt.error else ""
    word = f', "{receipt.word}" has no known meaning' if receipt.state == ReceiptState.OTHER else ""
    return f"network: under way, {_when(receipt.received_at)}{error}{word}"


def _said(receipt: TracedReceipt) -> str:
    return f"{receipt.state} ({receipt.word})" if receipt.word else receipt.state


queue = click.Group(
    "queue",
    help="Look at the queue and handle what waits in it.",
    commands=[
        list_queue,
        show,
        change_command(
            "flush",
            "Try everything now that failed and waits for a later attempt; what its sender scheduled keeps its time.",
            admin.flush_queue,
        ),
        postmaster,
        each_command(
            "hold", "Keep jobs, messages or notices from going out until they are released.", admin.hold_waiting
        ),
        each_command(
            "release", "Let what was held go out: now, or at the time that its sender chose.", admin.release_waiting
        ),
        each_command(
            "delete",
            "Cancel what no carrier was offered yet (its sender is told), and drop notices that wait.",
            admin.delete_waiting,
        ),
    ],
)
