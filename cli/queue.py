"""`mail2sms queue …` and `mail2sms status`: what waits, and everything that is remembered of one job.

Not here: what the rows mean (store.queue, store.views). These commands work beside a running gateway: it sees what
they changed within a second.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

import click

from cli.admin_session import admin_session
from cli.context import config_option, opened, read_config, who_serves
from cli.printed import count, plain, when
from cli.shapes import change_command, each_command
from cli.use_cases import queue as admin
from gateway.admin.waiting import WaitsFor, Ways, decide_why
from gateway.rerouting import Keeps
from sms.number import mask_number
from sms.outbox import OutboxState
from store.carrier_links import list_links
from store.engine.database import Database
from store.outbox_views import (
    ListedForward,
    WaitingNotice,
    find_content,
    list_forwards,
    list_notices,
)
from store.queue_counts import count_fragments
from store.queue_views import WaitingMessage, list_messages


@click.command("list")
@config_option
@click.option("--limit", default=100, show_default=True, help="At most so many rows of each kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_queue(file: Path, limit: int, *, as_json: bool) -> None:
    """List the messages and notices that have not ended."""
    with opened(file) as (database, _keys):
        messages = database.read_now(partial(list_messages, limit=limit))
        notices = database.read_now(partial(list_notices, limit=limit))
        fragments = database.read_now(count_fragments)
        ways = _look_at_ways(file, database) if messages else Ways(serving=False)
    now = datetime.now(UTC)
    if as_json:
        rows = {
            "messages": [asdict(item) | {"waits_for": _why_view(item, ways, now)} for item in messages],
            "notices": [asdict(item) for item in notices],
            "inbound_parts": fragments,
        }
        click.echo(json.dumps(rows, default=plain, indent=2))
        return
    for message in messages:
        click.echo(_message_line(message, ways, now))
    for notice in notices:
        click.echo(_notice_line(notice))
    click.echo(f"{count(len(messages), 'message')}, {count(len(notices), 'notice')} wait; times are UTC.")
    if fragments:
        click.echo(f"{count(fragments, 'part')} of inbound SMS kept, to be joined with what comes.")


def _tries(attempts: int, reason: str, problem: str) -> str:
    return f"  ({count(attempts, 'attempt')}, {reason}: {problem})" if reason else ""


_WAITS_FOR: Mapping[WaitsFor, str] = MappingProxyType(
    {
        WaitsFor.CARRIER: "with the carrier",
        WaitsFor.RELEASE: "held",
        WaitsFor.SCHEDULE: "scheduled {until}",
        WaitsFor.BLACKOUT: "in a blackout until {until}",
        WaitsFor.RETRY: "due {until}, again after {after}",
        WaitsFor.GATEWAY: "until a process serves",
        WaitsFor.ROUTE: "until a carrier serves its number",
        WaitsFor.HOURS: "until {carrier} opens at {opens}",
        WaitsFor.LINK: "no link to {carrier} since {since}: {trouble}",
        WaitsFor.TURN: "due {since}, until a carrier takes it",
    }
)


def _look_at_ways(file: Path, database: Database) -> Ways:
    config = read_config(file)
    return Ways(
        serving=who_serves(config.server, database) is not None,
        links=database.read_now(list_links),
        hours={carrier.name: carrier.hours for carrier in config.carriers if carrier.hours is not None},
    )


def _waits_for(message: WaitingMessage, ways: Ways, now: datetime) -> str:
    code, facts = decide_why(message, ways, now)
    until = f", scheduled {facts['until']}" if code is WaitsFor.RELEASE and facts["until"] else ""
    return _WAITS_FOR[code].format(**facts) + until


def _why_view(message: WaitingMessage, ways: Ways, now: datetime) -> dict[str, object]:
    code, facts = decide_why(message, ways, now)
    return {"code": code.value, **facts, "text": _waits_for(message, ways, now)}


def _message_line(message: WaitingMessage, ways: Ways, now: datetime) -> str:
    urgency = "express" if message.express else "normal"
    why = _waits_for(message, ways, now)
    line = f"{message.message_id}  {message.job_id}  {message.state:<10} {urgency:<7} {why}  "
    line += f"{mask_number(message.number)}  {message.customer}  via {message.route}"
    return line + _tries(message.attempts, message.reason, message.problem)


def _notice_line(notice: WaitingNotice) -> str:
    is_behind = notice.due_at is None and notice.state == OutboxState.QUEUED
    due = "behind an earlier one" if is_behind else f"due {when(notice.due_at)}"
    line = f"{notice.notice_id}  {notice.job_id or '-'}  {notice.state:<10} {notice.kind:<9} {due}  "
    line += f"by {notice.channel} to {notice.recipient}"
    return line + _tries(notice.attempts, notice.reason, notice.problem)


@click.command()
@config_option
@click.argument("name", metavar="ID")
def show(file: Path, name: str) -> None:
    """Show one job, message or notice with all that is known of it."""
    from cli.traces import print_trace

    print_trace(file, name, as_json=False)


@click.command()
@config_option
@click.argument("name", metavar="[ID]", required=False)
@click.option("--limit", default=100, show_default=True, help="At most so many rows.")
def postmaster(file: Path, name: str | None, limit: int) -> None:
    """List the mails to the postmaster of the last thirty days; with an ID, print that mail as it came.

    Of those that were forwarded the content is kept no longer.
    """
    with opened(file) as (database, _keys):
        if name is None:
            for mail in database.read_now(partial(list_forwards, limit=limit)):
                click.echo(_forward_line(mail))
            return
        content = database.read_now(partial(find_content, name=name))
    if not content:
        raise click.ClickException(f"{name}: there is no mail of this id whose content is kept")
    from gateway.postmaster import unpack

    click.echo(unpack(content), nl=False)


def _forward_line(mail: ListedForward) -> str:
    due = f" due {when(mail.due_at)}" if mail.state == "queued" else ""
    line = f"{mail.mail_id}  {when(mail.received_at)}  from {mail.client} ({mail.helo or '-'})  {mail.octets} octets  "
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
def status(file: Path, job: str, *, as_json: bool) -> None:
    """Show the trace of one job, by its id or the mail's Message-ID: messages, parts, receipts, notices.

    The id of a message, a notice or, of the carrier, a part stands for its job, a number such as +447700900123 for the
    newest job to it. Of an alert or a mail to the postmaster: its attempts. Of a mail
    that was dropped: what it was, by which field. Of an inbound SMS: what followed, and what became of that.
    """
    from cli.traces import print_trace

    print_trace(file, job, as_json=as_json)


_KEEPS: Mapping[Keeps, str] = MappingProxyType(
    {
        Keeps.ON_IT: "on this route already",
        Keeps.BEGUN: "a carrier has a part of it, or may have",
        Keeps.NOT_SERVED: "a carrier of the route does not serve its number or customer",
        Keeps.PINNED: "its sender ID is a number of ours, which other carriers serve",
        Keeps.GIVEN_BACK: "a carrier of the route gave it back before",
        Keeps.UNFIT: "a carrier of the route cannot take its text or parameters",
        Keeps.IN_FLIGHT: "taken by a carrier meanwhile",
    }
)


@click.command()
@config_option
@click.option("--to", required=True, metavar="ROUTE", help="The carrier that gets them, or a route such as alpha>beta.")
@click.option("--from", "carrier", default="", metavar="CARRIER", help="Those that wait for this carrier («-»: none).")
@click.option("--customer", default="", metavar="NAME", help="Only this customer's.")
@click.option("--country", default="", metavar="CC", help="Only those to this country, such as GB.")
@click.option("--dry-run", is_flag=True, help="Only show how many would go, and why others stay.")
@click.argument("name", metavar="[ID]", default="")
def reroute(*, file: Path, dry_run: bool, **chosen: str) -> None:
    """Give messages that wait to another carrier: those under an ID, or those that options choose.

    What a carrier has, or may have, stays with it. What is accepted later goes by the routes of the operator's file.
    """
    from gateway.admin.rerouting import Wanted
    from process.accept_path import AcceptPath
    from process.rerouting import rerouting_of

    with admin_session(file) as session:
        core = AcceptPath(session.config, session.database)
        core.book.load_now()
        rerouting = rerouting_of(core, session.who)
        wanted = Wanted(**chosen)
        done = rerouting.look(wanted) if dry_run else rerouting.carry_out(wanted)
    for route, moved in sorted(done.before.items()):
        click.echo(f"{count(moved, 'message')} of {route} {'would go' if dry_run else 'went'} to {wanted.to}.")
    for reason, kept in sorted(done.kept.items()):
        click.echo(f"{count(kept, 'message')} {'would stay' if dry_run else 'stayed'}: {_KEEPS[reason]}.")
    if not done.before and not done.kept:
        click.echo("No such message waits.")


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
        reroute,
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
