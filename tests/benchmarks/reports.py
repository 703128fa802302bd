"""Reports over a month of a million SMS: questions, tables, sums and deletion, and what accepting a mail notices of them.

On SQLite, and on PostgreSQL where it is installed. What is asked runs in a process of its own, whose memory is told; the
mails are accepted by a gateway that meanwhile sums, shows its portal, writes tables, or deletes. Not here: the month itself
(month), what is asked (reports_run).
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from itertools import groupby
from pathlib import Path

import msgspec

from addressbook.accounts import SessionStage
from addressbook.rights import Role
from cli.admin_session import admin_session
from cli.setup import CONFIG_NAME
from gateway.admin.accounts import invite_account
from gateway.portal.sessions import PortalSessions
from reports.downloads import ask_download
from reports.retention import DETAILS_KEPT
from reports.tables import TableForm
from store.details import DetailFilter
from store.directory_lookup import find_customer
from store.engine.database import Database, Transaction
from store.portal_accounts import find_account, put_password
from tests.benchmarks.figures import Effort, Figure, MissingPeerError, percentile, short
from tests.benchmarks.gateway import Gateway, gateway, set_up
from tests.benchmarks.month import OFTEN, Filled, fill_month, last_month
from tests.benchmarks.processes import ROOT, python, scratch
from tests.benchmarks.reports_run import Answer, Done
from tests.benchmarks.stores import postgresql
from tests.benchmarks.sync import latencies
from tests.kit.clock import Clock
from tests.kit.ports import free_port

_MESSAGES = 1_000_000
_OTHERS = 20
_SUMMED_AGAIN = 10_000
_WARM_UP = 8.0
_ADDRESS = "reader@example.com"
_VERIFIER = "of no password"


def measure_reports(effort: Effort) -> Iterator[Figure]:
    """Measure a month on each database."""
    messages = effort.count(_MESSAGES, 5_000)
    with scratch() as folder:
        yield from _measure(effort, "SQLite", folder, "sqlite:///mail2sms.db", messages)
    try:
        with scratch() as folder, postgresql() as url:
            yield from _measure(effort, "PostgreSQL", folder, url, messages)
    except MissingPeerError as error:
        yield Figure(name="reports", what="the same on PostgreSQL", missing=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """A database with a month in it; `configured` is what the operator's file names."""

    name: str
    folder: Path
    configured: str
    url: str
    filled: Filled
    database: Database

    @property
    def size(self) -> str:
        return f"{self.filled.messages:,} SMS"

    def run(self, what: str, *bound: int) -> bytes:
        """Return what a process of its own says of some work."""
        words = python("tests.benchmarks.reports_run", self.url, msgspec.json.encode(self.filled).decode(), what)
        done = subprocess.run([*words, *map(str, bound)], cwd=ROOT, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{what}: {done.stderr.decode()[-1500:]}")
        return done.stdout

    def done(self, what: str, *bound: int) -> Done:
        """Return what some work took."""
        return msgspec.json.decode(self.run(what, *bound), type=Done)

    def count(self, query: str) -> int:
        return int(self.database.read_now(lambda tx: tx.value(query)))


def _measure(effort: Effort, name: str, folder: Path, configured: str, messages: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        set_up(folder, database=configured)
        url = configured.replace("sqlite:///", f"sqlite:///{folder}/")
        database = Database(url)
        database.open()
        stack.callback(database.close)
        customer = database.read_now(lambda tx: find_customer(tx, "demo"))
        assert customer is not None
        began = time.monotonic()
        others = range(customer.key + 1, customer.key + 1 + _OTHERS)
        filled = fill_month(database, last_month(datetime.now(UTC)), messages, customer.key, others)
        site = _Site(
            name=name, folder=folder, configured=configured, url=url, filled=filled, database=database
        )  # fmt: skip
        yield Figure(
            name="reports",
            what=f"{name}: a month of {messages:,} SMS written ({filled.messages:,} of one customer)",
            ours=f"{time.monotonic() - began:.0f} s{_size(folder)}",
        )
        yield from _questions(site)
        yield from _tables(site, effort.full)
        yield from _commands(site)
        yield from _noticed(effort, site)
        yield from _noticed_of_deletion(effort, site)


def _size(folder: Path) -> str:
    files = [file.stat().st_size for file in folder.glob("mail2sms.db*")]
    return f"; {sum(files) / 1e6:,.0f} MB" if sum(files) > 1 << 22 else ""


def _questions(site: _Site) -> Iterator[Figure]:
    answers = [msgspec.json.decode(line, type=Answer) for line in site.run("questions").splitlines()]
    for name, group in groupby(answers, lambda answer: answer.name):
        asked = list(group)
        slowest = max(answer.seconds for answer in asked)
        yield Figure(
            name="reports",
            what=f"{site.name}: {name}",
            ours=", ".join(f"{one.fits} {one.seconds * 1e3:,.0f} ms ({one.cpu * 1e3:,.0f})" for one in asked),
            ratio=slowest,
            unit=" s",
            goal=1.0,
            at_most=True,
        )


def _tables(site: _Site, whole: bool) -> Iterator[Figure]:
    for form, share in (("csv", 10), ("xlsx", 50)):
        most = site.filled.messages // (1 if whole else share)
        few, all_of_it = site.done(form, most // 10), site.done(form, most)
        yield Figure(
            name="reports",
            what=f"{site.name}: {form} of {most:,} SMS; memory beside that for a tenth",
            ours=f"{all_of_it.seconds:.1f} s (CPU {all_of_it.cpu:.1f}), {all_of_it.count / 1e6:,.0f} MB; memory {all_of_it.memory:.0f} MB",
            peer=f"{few.seconds:.1f} s ({few.cpu:.1f}); {few.memory:.0f} MB",
            ratio=all_of_it.memory / few.memory,
            goal=1.3,
            at_most=True,
        )
    for what, bound, unit in (("archive", 0, "lines"), ("sums", 10, "jobs"), ("retention", 10, "SMS")):
        found = site.done(what, bound)
        yield Figure(
            name="reports",
            what=f"{site.name}: {what}, without rests, of {site.size}",
            ours=f"{found.count:,} {unit} in {found.seconds:.1f} s (CPU {found.cpu:.1f}); memory {found.memory:.0f} MB",
        )


def _commands(site: _Site) -> Iterator[Figure]:
    since = ["--since", f"{site.filled.month.first}T00:00"]
    number, nobody = ["--to", f"+{OFTEN}"], ["--user", "nobody@example.net"]
    for words in (
        ["jobs", *since, "--limit", "1000", "--csv"],
        ["jobs", *since, *number],
        ["jobs", *since, *nobody],
        ["jobs", *since, "--from", "Nobody"],
        ["inbound", "list", *since, "--limit", "1000", "--csv"],
        ["inbound", "list", *since, *nobody],
    ):
        seconds, memory = _command([*words, "--config", str(site.folder / CONFIG_NAME)])
        yield Figure(
            name="reports",
            what=f"{site.name}: mail2sms {' '.join(words)}",
            ours=f"{seconds:.2f} s with its start; memory {memory:.0f} MB",
        )


def _command(words: Sequence[str]) -> tuple[float, float]:
    """Return the seconds and the memory (MB) that one of our commands took."""
    began = time.monotonic()
    process = subprocess.Popen(python("cli", *words), cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return time.monotonic() - began, used.ru_maxrss / 1024


def _noticed(effort: Effort, site: _Site) -> Iterator[Figure]:
    """Measure what a mail takes while days are summed again, lists are looked at, and tables are written."""
    seconds, door = effort.seconds / 4, free_port()
    http = {"http": [{"name": "portal", "address": f"127.0.0.1:{door}", "serves": ["portal"]}]}
    due, first = "SELECT count(*) FROM job_sum WHERE changes > 0", site.filled.month.first
    at, day = f"?since={first}", f"?since={first}&until={first}"
    lists = at, f"{at}&sender_id=None", f"{at}&state=failed", f"{at}&number=%2B{OFTEN}", f"/received{at}"
    again = (
        "UPDATE job_sum SET changes = 1 WHERE job_key IN (SELECT job_key FROM job_sum ORDER BY job_key DESC LIMIT ?)"
    )
    site.database.write_now(lambda tx, items: [tx.execute(again, (item,)) for item in items], _SUMMED_AGAIN)
    with gateway(site.folder, database=site.configured, customer=False, tables=http) as server:
        _warm_up(server)
        before = site.count(due)
        summing = latencies(server, partial(_until, lambda: not site.count(due), 2 * seconds))
        busy = {f"{before - site.count(due):,} jobs are summed": summing}
        _until(lambda: not site.count(due), 60 * seconds)
        visit = partial(_visit, door, _session(site), site, seconds)
        visit(*lists)  # pages are made ready when they are first shown
        quiet = latencies(server, lambda: time.sleep(seconds))
        busy["lists are looked at"] = latencies(server, partial(visit, *lists))
        busy["a day is taken as CSV"] = latencies(server, partial(visit, f"/sent/csv{day}"))
        quiet += latencies(server, lambda: time.sleep(seconds))
        for form in TableForm:
            ask_for_all = partial(
                ask_download,
                customer="demo",
                wanted=DetailFilter(customer_key=site.filled.customer_key),
                form=form,
                language="en",
                zone="UTC",
            )
            with admin_session(site.folder / CONFIG_NAME) as session:
                session.change(ask_for_all, silent=True)
            busy[f"everything is written as {form}"] = latencies(server, lambda: time.sleep(seconds))
    yield from (_p99(site, what, taken, quiet) for what, taken in busy.items())


def _noticed_of_deletion(effort: Effort, site: _Site) -> Iterator[Figure]:
    """Measure the same while the gateway deletes what is over."""
    count, seconds = "SELECT count(*) FROM message", effort.seconds / 4
    first = site.filled.only_at - site.filled.only_at % 86_400_000_000
    age = int(DETAILS_KEPT.total_seconds()) * 1_000_000

    def make_old(tx: Transaction, items: list[int]) -> list[int]:
        return [
            tx.execute("UPDATE job_sum SET closed_at = closed_at - ? WHERE closed_at < ?", (age, item))
            for item in items
        ]

    jobs = site.database.write_now(make_old, first)
    with gateway(site.folder, database=site.configured, customer=False) as server:
        _warm_up(server)
        before = site.count(count)
        busy = latencies(server, lambda: time.sleep(2 * seconds))
        deleted = before + len(busy) - site.count(count)
    site.database.write_now(
        lambda tx, items: [
            tx.execute("UPDATE job_sum SET closed_at = closed_at + ? WHERE closed_at < ?", (age, first - age))
            for _ in items
        ],
        None,
    )
    with gateway(site.folder, database=site.configured, customer=False) as server:
        _warm_up(server)
        quiet = latencies(server, lambda: time.sleep(2 * seconds))
    yield _p99(site, f"{deleted:,} of {jobs:,} old jobs' SMS are deleted in {2 * seconds:.0f} s", busy, quiet)


def _warm_up(server: Gateway) -> None:
    """Send mails for a while: what a process does once, at its start, is not what is measured."""
    latencies(server, lambda: time.sleep(_WARM_UP))


def _until(ended: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ended() and time.monotonic() < end:
        time.sleep(0.2)


def _visit(door: int, session: str, site: _Site, seconds: float, *paths: str) -> None:
    words = [str(door), session, str(site.filled.customer_key), str(seconds), *paths]
    done = subprocess.run(
        python("tests.benchmarks.reports_visit", *words), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the visitor ended: {done.stderr[-1000:]}")


def _session(site: _Site) -> str:
    """Return the token of somebody who may see the customer's reports, signed in."""
    with redirect_stdout(StringIO()), admin_session(site.folder / CONFIG_NAME) as session:
        session.change(
            partial(
                invite_account, address=_ADDRESS, customer="demo", role=Role.ADMINISTRATOR.value, portal="http://portal"
            )
        )
        account = session.look(partial(find_account, address=_ADDRESS))
        assert account is not None

        def activate(tx: Transaction, keys: list[int]) -> list[int]:
            for key in keys:
                put_password(tx, key, _VERIFIER)
            return keys

        session.database.write_now(activate, account.key)
        sessions = PortalSessions(database=session.database, keys=session.keys, clock=Clock(datetime.now(UTC)))
        return asyncio.run(sessions.begin(account, SessionStage.OPEN, "127.0.0.1", "benchmark"))


def _p99(site: _Site, what: str, taken: Sequence[float], quiet: Sequence[float]) -> Figure:
    busy, idle = percentile(taken, 99), percentile(quiet, 99)
    return Figure(
        name="reports",
        what=f"{site.name}: p99 of accepting a mail while {what}",
        ours=f"{short(busy * 1000)} ms of {len(taken):,} mails",
        peer=f"idle {short(idle * 1000)} ms of {len(quiet):,}",
        ratio=busy / idle,
        goal=2.0,
        at_most=True,
    )
