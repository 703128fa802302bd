"""`mail2sms health`: how the gateway is, on one screen. Not here: what is a concern (gateway.admin.health)."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import click

from cli.admin_session import admin_session, json_option
from cli.context import config_option, who_serves
from cli.printed import count, link_line, when
from gateway.admin.health import Concern, Concerned, HealthReport, report_health
from process.surroundings import look_around
from store.queue_counts import QueueCount

_CONCERNS: Mapping[Concern, str] = MappingProxyType(
    {
        Concern.NOT_SERVING: "no process serves: «mail2sms serve» takes mail and sends what waits",
        Concern.LINK_DOWN: "link {link} to {carrier} is down since {since}: {trouble}",
        Concern.MESSAGES_LATE: "{late} SMS for {route} wait since {since}: «mail2sms carrier test» and the log say "
        "why, «mail2sms queue list» which",
        Concern.NOTICES_LATE: "{late} for {destination} wait since {since}: «mail2sms queue list» says why",
        Concern.DIRECTORY_HELD: "the directory {name} of {customer} waits for approval: «mail2sms dirsync approve "
        "{digest}» after «mail2sms dirsync show {digest}»",
        Concern.DIRECTORY_FAILS: "the directory {name} of {customer} can't be read ({failures} failures in a row): "
        "«mail2sms dirsync list» says why",
        Concern.DIRECTORY_OLD: "the directory {name} of {customer} was read last at {since}",
        Concern.CERTIFICATE_ENDS: "the certificate of {name} ({file}) ends at {ends}",
        Concern.CERTIFICATE_REFUSED: "the authority of [acme] gives no certificate ({failures} attempts): {problem}; "
        "next attempt at {next}",
        Concern.CERTIFICATE_UNUSABLE: "the TLS of {name} can't be used as its files are: {fault}",
        Concern.DISK_FULL: "{folder} has {free} bytes free, and under {reserve} no mail is taken",
    }
)


@click.command()
@config_option
@json_option
def health(file: Path, *, as_json: bool) -> None:
    """Show on one screen what serves, what waits since when, and what needs a hand; the exit code is then 1."""
    now = datetime.now(UTC)
    with admin_session(file) as session:
        around = look_around(session.config, who_serves(session.config.server, session.database))
        report = session.look(lambda tx: report_health(tx, around, now, session.config.alerts))
    if as_json:
        click.echo(json.dumps(_view(report), indent=2, ensure_ascii=False))
    else:
        for line in _lines(report, now):
            click.echo(line)
    if report.concerns:
        sys.exit(1)


def _lines(report: HealthReport, now: datetime) -> Iterator[str]:
    around = report.around
    yield f"serving      {around.serving or 'nobody'}"
    for one in around.listeners:
        yield f"listener     {one.name}: {one.speaks} at {one.address}, TLS {one.tls}"
    for link in report.links:
        yield f"carrier      {link.carrier}: {link_line(link)}"
    yield f"being sent   {report.submitting} SMS"
    yield from _queue_lines("SMS wait", report.messages)
    yield from _queue_lines("mails, pushes", report.notices)
    if report.fragments:
        yield f"inbound      {count(report.fragments, 'part')} kept, to be joined with what comes"
    for state in report.directories:
        last = state.last
        said = "never read" if last is None else f"{last.state} at {when(state.last_at)}"
        yield f"directory    {state.customer}/{state.stored.directory.name}: {count(state.users, 'user')}, {said}"
    for name, path, end in around.certificates:
        yield f"certificate  {name}: {(end - now).days} days left ({path})"
    if report.renewal.ends_at is not None:
        yield f"certificate  [acme]: {(report.renewal.ends_at - now).days} days left, renewed by itself"
    yield f"disk         {around.free // 1_000_000:,} MB free at {around.folder}"
    for concern in report.concerns:
        yield f"LOOK         {_said(concern)}"
    if not report.concerns:
        yield "Nothing needs a hand. Times are UTC."


def _queue_lines(title: str, counts: tuple[QueueCount, ...]) -> Iterator[str]:
    if not counts:
        yield f"{title:<12} none"
    for item in counts:
        since = f", the oldest since {when(item.oldest_at)}" if item.oldest_at is not None else ""
        held = f", {item.held} held" if item.held else ""
        yield f"{title:<12} {item.waiting} for {item.name or '-'}{held}, {item.late} could go out{since}"


def _said(concern: Concerned) -> str:
    return _CONCERNS[concern.code].format(**concern.facts)


def _view(report: HealthReport) -> dict[str, object]:
    return {
        "serving": report.around.serving,
        "listeners": [asdict(one) for one in report.around.listeners],
        "links": [asdict(link) | {"since_at": link.since_at.isoformat()} for link in report.links],
        "submitting": report.submitting,
        "messages": [_queue_view(item) for item in report.messages],
        "notices": [_queue_view(item) for item in report.notices],
        "inbound_parts": report.fragments,
        "directories": [
            {
                "customer": state.customer,
                "name": state.stored.directory.name,
                "users": state.users,
                "state": state.last.state.value if state.last is not None else None,
            }
            for state in report.directories
        ],
        "certificates": [
            {"name": name, "file": path, "ends": end.isoformat()} for name, path, end in report.around.certificates
        ],
        "acme": report.renewal.ends_at and report.renewal.ends_at.isoformat(),
        "disk_free": report.around.free,
        "concerns": [{"code": item.code.value, **item.facts, "text": _said(item)} for item in report.concerns],
    }


def _queue_view(item: QueueCount) -> dict[str, object]:
    oldest = item.oldest_at.isoformat() if item.oldest_at is not None else None
    return {"name": item.name, "waiting": item.waiting, "late": item.late, "held": item.held, "oldest": oldest}
