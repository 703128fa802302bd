"""`mail2sms tls reports` and `tls report-import`: what others report about TLS to our domains (RFC 8460).

Not here: reading and keeping a report (tls.received_report, gateway.received_reports), our own reports.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click

from cli.admin_session import admin_session, json_option, print_table
from cli.context import config_option, opened, read_config
from gateway.received_reports import KeptReport, ReceivedReports, list_reports
from mta.tls_report_mail import find_report
from process.clock import SystemClock
from process.mail_out import reported_domains
from sms.outcome import Refused
from store.engine.keys import to_stored

_SUMMED = timedelta(days=7)
_JSON_OR_GZIP = (b"{", b"\xef\xbb\xbf{", b"\x1f\x8b")


@click.command("reports")
@config_option
@json_option
@click.option("--domain", default="", metavar="DOMAIN", help="Only those about this domain of ours.")
@click.option("--days", type=click.IntRange(1, 90), default=30, show_default=True, help="How far back.")
def reports(file: Path, domain: str, days: int, *, as_json: bool) -> None:
    """List the TLS reports of others about our domains, newest first, with what failed.

    They come by mail to tlsrpt@ our domains from anybody, and nothing proves what they say: «signed_by» has the
    domains whose DKIM signature the mail bore.
    """
    since = to_stored(datetime.now(UTC) - timedelta(days=days))
    with admin_session(file) as session:
        found = session.look(partial(list_reports, since=since, domain=domain.lower(), limit=500))
    if as_json:
        print_table(
            [{**report.view(), "failures": [asdict(each) for each in report.failures]} for report in found],
            as_json=True,
        )
        return
    print_table([report.view() for report in found], as_json=False)
    for report in found:
        for line in _failure_lines(report):
            click.echo(line)


def _failure_lines(report: KeptReport) -> Iterable[str]:
    for failure in report.failures:
        where = " ".join(filter(None, (failure.host, failure.address)))
        reason = f": {failure.reason}" if failure.reason else ""
        yield (
            f"{report.domain} by {report.submitter}: {failure.sessions} {failure.result} ({failure.policy})"
            f" at {where or 'a host not named'}, from {failure.source or 'an address not named'}{reason}"
        )


def summary(found: Iterable[KeptReport]) -> str:
    """Return what reports say of each domain in one line, empty where there are none."""
    good: dict[str, int] = {}
    failed: dict[str, int] = {}
    for report in found:
        good[report.domain] = good.get(report.domain, 0) + report.good
        failed[report.domain] = failed.get(report.domain, 0) + report.failed
    told = ", ".join(f"{domain} {good[domain]} sessions good, {failed[domain]} failed" for domain in sorted(good))
    return f"Others report of the last {_SUMMED.days} days («tls reports» has more): {told}." if told else ""


def summed_since() -> int:
    """Return the instant from which on `summary` sums, in microseconds."""
    return to_stored(datetime.now(UTC) - _SUMMED)


@click.command("report-import")
@config_option
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def report_import(file: Path, report: Path) -> None:
    """Keep the TLS report in the file REPORT: JSON, gzip, or a whole mail with one."""
    content, domain = report.read_bytes(), ""
    if not content.lstrip().startswith(_JSON_OR_GZIP):
        found = find_report(content)
        if isinstance(found, Refused):
            raise click.ClickException(f"{report}: {found.detail}")
        content, domain = found
    domains = reported_domains(read_config(file))
    with opened(file) as (database, keys):
        keeper = ReceivedReports(database=database, keys=keys, domains=domains, clock=SystemClock())
        kept = asyncio.run(keeper.keep(content, source=report.name, domain=domain))
    if isinstance(kept, Refused):
        raise click.ClickException(f"{report}: {kept.detail}")
    click.echo(f"Kept a report about {kept} of our domains." if kept > 1 else "Kept a report about one of our domains.")
