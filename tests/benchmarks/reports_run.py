"""`python -m tests.benchmarks.reports_run URL FILLED WHAT`: what a report asks of a month's tables, in a process of its own.

FILLED is JSON of `month.Filled`; WHAT is `questions`, the form of a table, `archive`, `sums` or `retention`. Prints JSON:
`Answer`s for questions, else one `Done`; each with its seconds, the last also with the memory that the process took at most.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

import msgspec
import structlog

from addressbook.exchange import SPREADSHEET, write_csv
from gateway.directory import DirectoryFollower
from reports.archive import COLUMNS as SUMMARY_COLUMNS
from reports.archive import list_months, summarise_month
from reports.details import COLUMNS, SentDetails
from reports.retention import DETAILS_KEPT, Retention
from reports.summing import Summing
from reports.tables import TableForm, write_table
from sms.lifecycle import MessageState
from store.details import DetailFilter, DetailPlace, search_details
from store.engine.database import Database, Transaction
from store.inbound_search import Handed, InboundFilter, search_inbound
from store.job_search import JobFilter, search_jobs
from tests.benchmarks.month import CAMPAIGN, OFTEN, ONLY, SENDER_IDS, Filled
from tests.kit.clock import Clock

MOST = 50
_PAGE = 1000
_TURNS = 3
_NOBODY = "nobody@example.net"
_NO_NUMBER = "447700900001"
Question = Callable[[Transaction], Sequence[object]]
Filters = Mapping[str, object]


class Answer(msgspec.Struct):
    """How long a question took that so many rows fit: `many`, `one` or `none`, of which `found` came.

    `cpu` is that of this process, so not of PostgreSQL's.
    """

    name: str
    fits: str
    found: int
    seconds: float
    cpu: float


class Done(msgspec.Struct):
    """How much was done of something, in which time, with which CPU, and with which memory at most (MB)."""

    count: int
    seconds: float
    cpu: float
    memory: float


def detail_filters(filled: Filled) -> dict[str, tuple[Filters, Filters, Filters]]:
    """Return each filter of the list of what was sent: as many, one and no message fit it."""
    day, end = 86_400_000_000, filled.only_at + 60 * 86_400_000_000
    at = filled.only_at

    def states(*names: MessageState) -> Filters:
        return {"states": frozenset(names)}

    return {
        "service": ({"services": {"mail"}}, {"services": {ONLY.service}}, {"services": {"portal"}}),
        "number": ({"number": OFTEN}, {"number": ONLY.number}, {"number": _NO_NUMBER}),
        "status": (states(MessageState.DELIVERED), states(ONLY.state), states(MessageState.EXPIRED)),
        "status of what goes on": (
            states(MessageState.QUEUED),
            states(ONLY.state, MessageState.SUBMITTING),
            states(MessageState.SUBMITTING),
        ),
        "sender's domain": ({"sender": "@example.com"}, {"sender": "@single.example"}, {"sender": "@example.net"}),
        "user": ({"sender": "user0@example.com"}, {"sender": ONLY.sender}, {"sender": _NOBODY}),
        "sender ID": ({"sender_id": SENDER_IDS[0]}, {"sender_id": ONLY.sender_id}, {"sender_id": "None"}),
        "cost centre": ({"cost_centre": "4700"}, {"cost_centre": ONLY.cost_centre}, {"cost_centre": "none"}),
        "reference": ({"reference": CAMPAIGN}, {"reference": ONLY.reference}, {"reference": "none"}),
        "country": ({"country": "GB"}, {"country": ONLY.country}, {"country": "TV"}),
        "time": (
            {"since": at - 5 * day, "until": at + 5 * day},
            {"since": at, "until": at + 1},
            {"since": end, "until": end + day},
        ),
        "service and status": (
            {"services": {"mail"}, **states(MessageState.UNDELIVERED)},
            {"services": {ONLY.service}, **states(ONLY.state)},
            {"services": {"rest"}, **states(ONLY.state)},
        ),
        "user and country": (
            {"sender": "user0@example.com", "country": "GB"},
            {"sender": ONLY.sender, "country": ONLY.country},
            {"sender": ONLY.sender, "country": "GB"},
        ),
        "number and time": (
            {"number": OFTEN, "since": at - 5 * day, "until": at + 5 * day},
            {"number": ONLY.number, "since": at - day, "until": at + day},
            {"number": OFTEN, "since": end, "until": end + day},
        ),
        "number and user": (
            {"number": OFTEN, "sender": "@example.com"},
            {"number": ONLY.number, "sender": ONLY.sender},
            {"number": OFTEN, "sender": ONLY.sender},
        ),
    }


def inbound_filters(filled: Filled) -> dict[str, tuple[Filters, Filters]]:
    """Return each filter of the list of what came: as many and as no SMS fit it."""
    end = filled.only_at + 60 * 86_400_000_000
    return {
        "number": ({"number": "447700900900"}, {"number": _NO_NUMBER}),
        "phone": ({"phone": OFTEN}, {"phone": _NO_NUMBER}),
        "user": ({"user": "user0@example.com"}, {"user": _NOBODY}),
        "keyword": ({"keyword": "YES"}, {"keyword": "NONE"}),
        "handed over": ({"handed": {Handed.YES}}, {"handed": {Handed.NO}}),
        "nobody's": ({"handed": {Handed.NOBODY}}, {"handed": {Handed.WAITS}}),
        "time": ({"since": filled.only_at}, {"since": end}),
    }


def job_filters(filled: Filled) -> dict[str, tuple[Filters, Filters]]:
    """Return each filter of `mail2sms jobs`: as many and as no job fit it."""
    end = filled.only_at + 60 * 86_400_000_000

    def states(*names: MessageState) -> Filters:
        return {"states": frozenset(names)}

    customer = {"customer_key": filled.customer_key}
    return {
        "number": ({"number": OFTEN}, {"number": _NO_NUMBER}),
        "user": ({"sender": "user0@example.com"}, {"sender": _NOBODY}),
        "domain": ({"sender": "@example.com"}, {"sender": "@example.net"}),
        "sender ID": ({"sender_id": SENDER_IDS[0]}, {"sender_id": "None"}),
        "customer": (customer, {"customer_key": 1 << 40}),
        "proof": ({"proof": "range"}, {"proof": "dkim"}),
        "status": (states(MessageState.FAILED), states(MessageState.EXPIRED)),
        "good status": (states(MessageState.DELIVERED), states(MessageState.SUBMITTING)),
        "status since": (
            {**states(MessageState.DELIVERED), "since": filled.only_at},
            {**states(MessageState.SUBMITTING), "since": filled.only_at},
        ),
        "customer and status": (
            {**customer, **states(MessageState.FAILED)},
            {**customer, **states(MessageState.EXPIRED)},
        ),
        "user and status": (
            {"sender": "user0@example.com", **states(MessageState.FAILED)},
            {"sender": "user0@example.com", **states(MessageState.EXPIRED)},
        ),
        "customer and sender ID": ({**customer, "sender_id": SENDER_IDS[0]}, {**customer, "sender_id": "None"}),
        "time": ({"since": filled.only_at}, {"since": end}),
    }


def questions(filled: Filled) -> Iterator[tuple[str, str, Question]]:
    """Yield what is asked: its name, how much fits, the question."""
    everything = DetailFilter(customer_key=filled.customer_key)
    yield "sent: first page", "many", partial(search_details, wanted=everything, most=MOST + 1)
    yield f"sent: page {_PAGE}", "many", partial(_late_page, wanted=everything)
    for name, fitting in detail_filters(filled).items():
        for fits, filters in zip(("many", "one", "none"), fitting, strict=True):
            wanted = DetailFilter(customer_key=filled.customer_key, **filters)  # type: ignore[arg-type]
            yield f"sent: {name}", fits, partial(search_details, wanted=wanted, most=MOST + 1)
    yield "received: first page", "many", partial(search_inbound, wanted=InboundFilter(), most=MOST + 1)
    for name, asked in inbound_filters(filled).items():
        for fits, filters in zip(("many", "none"), asked, strict=True):
            wanted_sms = InboundFilter(customer_key=filled.customer_key, **filters)  # type: ignore[arg-type]
            yield f"received: {name}", fits, partial(search_inbound, wanted=wanted_sms, most=MOST + 1)
    for name, asked in job_filters(filled).items():
        for fits, filters in zip(("many", "none"), asked, strict=True):
            wanted_jobs = JobFilter(**filters)  # type: ignore[arg-type]
            yield f"jobs: {name}", fits, partial(search_jobs, wanted=wanted_jobs, most=MOST)


def _late_page(tx: Transaction, wanted: DetailFilter) -> Sequence[object]:
    return search_details(tx, wanted, MOST + 1, _places[0]) if _places else []


_places: list[DetailPlace] = []


def ask(database: Database, filled: Filled) -> Iterator[Answer]:
    """Ask everything, the best of three each."""
    wanted = DetailFilter(customer_key=filled.customer_key)
    behind = MOST * (_PAGE - 1)
    place = "SELECT accepted_at, key FROM detail WHERE customer_key = ? ORDER BY accepted_at DESC, key DESC LIMIT 1 OFFSET ?"
    skipped = min(behind, filled.messages // 2)
    _places[:] = [
        DetailPlace(*row) for row in database.read_long_now(lambda tx: tx.rows(place, (wanted.customer_key, skipped)))
    ]
    for name, fits, question in questions(filled):
        taken: list[tuple[float, float]] = []
        found: Sequence[object] = ()
        for _ in range(_TURNS):
            began, cpu = time.perf_counter(), time.process_time()
            found = database.read_long_now(question)
            taken.append((time.perf_counter() - began, time.process_time() - cpu))
        yield Answer(name, fits, len(found), *map(min, zip(*taken, strict=True)))


def export(database: Database, filled: Filled, form: TableForm, most: int) -> int:
    """Write so many of the customer's messages as a table, and forget the octets; returns how many those were."""
    rows = islice(SentDetails(database).rows(DetailFilter(customer_key=filled.customer_key)), most)
    return sum(map(len, write_table(form, COLUMNS, rows)))


def archive(database: Database, filled: Filled) -> int:
    """List the months, summarise the customer's month, write it as a table; returns how many lines that has."""
    database.read_long_now(list_months)
    found = database.read_long_now(
        partial(summarise_month, customer_key=filled.customer_key, customer="demo", month=filled.month)
    )
    found.by("user_address"), found.by("cost_centre"), found.by("country")
    return write_csv(SUMMARY_COLUMNS, found.rows()).encode(SPREADSHEET).count(b"\n") - 1


def sum_up(database: Database, _filled: Filled, seconds: float) -> int:
    """Sum what is due, at most for so long, without the rests between steps; returns how many jobs that were."""
    book = DirectoryFollower(database, {})
    book.load_now()
    due = "SELECT count(*) FROM job_sum WHERE changes > 0"
    before = database.read_now(lambda tx: tx.value(due))
    _step(Summing(database=database, book=book, clock=Clock(datetime.now(UTC))).step, seconds)
    return int(before - database.read_now(lambda tx: tx.value(due)))


def forget(database: Database, filled: Filled, seconds: float) -> int:
    """Delete what is three months old on the month's second day three months later; returns how many messages that were."""
    count = "SELECT count(*) FROM message"
    before = database.read_now(lambda tx: tx.value(count))
    later = datetime.combine(filled.month.first, datetime.min.time(), UTC) + DETAILS_KEPT + timedelta(days=1)
    _step(Retention(database=database, clock=Clock(later)).step, seconds)
    return int(before - database.read_now(lambda tx: tx.value(count)))


def _step(step: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async def steps() -> None:
        end = time.monotonic() + seconds
        while await step() and time.monotonic() < end:
            pass

    asyncio.run(steps())


WORKS: Mapping[str, Callable[[Database, Filled, int], int]] = {
    "csv": lambda database, filled, most: export(database, filled, TableForm.CSV, most),
    "xlsx": lambda database, filled, most: export(database, filled, TableForm.XLSX, most),
    "archive": lambda database, filled, _: archive(database, filled),
    "sums": sum_up,
    "retention": forget,
}
"""What else is measured; each is given a bound, of rows or of seconds, and returns how much it did."""


def main() -> None:
    """Do it and print what it took."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    url, text, what, *bound = sys.argv[1:]
    filled = msgspec.json.decode(text, type=Filled)
    database = Database(url)
    database.open()
    if what == "questions":
        for answer in ask(database, filled):
            print(msgspec.json.encode(answer).decode(), flush=True)
    else:
        began, cpu = time.perf_counter(), time.process_time()
        count = WORKS[what](database, filled, *map(int, bound))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(msgspec.json.encode(Done(count, seconds, cpu, memory)).decode())
    database.close()


if __name__ == "__main__":
    main()
