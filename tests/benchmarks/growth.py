"""G8: what a long queue and a large address book change. In one process, CPU of all its threads, commits included."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from functools import partial
from io import StringIO
from itertools import count
from pathlib import Path

from addressbook.people import User
from addressbook.senders import Principal
from cli.admin_session import admin_session
from cli.context import database_of, read_config
from cli.setup import CONFIG_NAME, write_configuration
from config.alerts import AlertOptions
from gateway.accept import Acceptance, Accepted
from gateway.admin.edit import AuditAction, Changed, Edit, changed
from gateway.admin.health import Surroundings, report_health
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from process.accept_path import AcceptPath
from sms.lifecycle import MessageState
from sms.outcome import Done
from store.answers import Rules
from store.directory_tables import CustomerRow
from store.engine.database import Database, Transaction
from store.job_search import JobFilter, search_jobs
from store.queue_views import list_messages
from tests.benchmarks.figures import Effort, Figure, Sample, microseconds
from tests.benchmarks.gateway import RECIPIENT
from tests.benchmarks.load import plain_mail
from tests.benchmarks.processes import scratch
from tests.kit.clock import START
from tests.kit.readers import read
from tests.kit.store_harness import StoreHarness

_WINDOW = 100
_SHORT, _LONG = 1_000, 100_000
_FEW, _MANY = 100, 100_000
_TOGETHER = 1_000


def measure_queue(effort: Effort) -> Iterator[Figure]:
    """Measure claim and settle per SMS with a short and a long queue."""
    most = 1_000_000 if effort.full else int(_LONG * min(1, effort.scale * 2))
    sms = effort.count(1_000, 200)
    with scratch() as folder, ExitStack() as stack:
        sides: dict[str, Callable[[], Sample]] = {}
        for name, length in (("short", _SHORT), ("long", most)):
            world = StoreHarness(f"sqlite:///{folder / name}.db", Rules())
            stack.callback(world.database.close)
            _queue(world, length)
            sides[name] = _claiming(world, sms)
        series = effort.alternate(sides)
    short, long = series["short"], series["long"]
    yield Figure(
        name="G8",
        what=f"claim and settle per SMS, {most:,} queued",
        ours=microseconds(long),
        peer=f"{_SHORT:,} queued {microseconds(short)}",
        ratio=long.cpu / short.cpu,
        goal=1.2,
        at_most=True,
    )


def measure_search(effort: Effort) -> Iterator[Figure]:
    """Measure the slowest question to a search for jobs: nothing fits, so that all of them are looked at.

    Beside it what an administrator asks first: what waits, and how the gateway is.
    """
    most = 1_000_000 if effort.full else int(_LONG * min(1, effort.scale * 2))
    filters = {
        "of a sender": JobFilter(sender="nobody@example.org"),
        "of a domain": JobFilter(sender="@example.org"),
        "of a state": JobFilter(states=frozenset({MessageState.SUBMITTED})),
        "of a number": JobFilter(number="447700900999"),
    }
    questions: dict[str, Callable[[Transaction], object]] = {
        f"jobs {name}, none among": partial(search_jobs, wanted=wanted, most=50) for name, wanted in filters.items()
    }
    around = Surroundings(serving="1", folder="/", free=1, reserve=0)
    questions["queue list of"] = partial(list_messages, limit=100)
    questions["health with queued"] = partial(report_health, around=around, now=START, options=AlertOptions())
    with scratch() as folder, ExitStack() as stack:
        world = StoreHarness(f"sqlite:///{folder}/jobs.db", Rules())
        stack.callback(world.database.close)
        _queue(world, most)
        for name, question in questions.items():
            began = time.perf_counter()
            world.database.read_now(question)
            seconds = time.perf_counter() - began
            yield Figure(
                name="search",
                what=f"{name} {most:,}",
                ours=f"{seconds * 1000:.0f} ms",
                ratio=seconds,
                unit=" s",
                goal=1.0,
                at_most=True,
            )


def _queue(world: StoreHarness, jobs: int) -> None:
    """Queue one-part messages, many in one transaction."""

    def add_all(tx, sizes: list[int]) -> list[None]:
        for size in sizes:
            new = [world.new_job("447700900123") for _ in range(size)]
            world.outbound.add_jobs(tx, new)
        return [None] * len(sizes)

    for start in range(0, jobs, _TOGETHER):
        world.database.write_now(add_all, min(_TOGETHER, jobs - start))


def _claiming(world: StoreHarness, sms: int) -> Callable[[], Sample]:
    references = count()

    def measure() -> Sample:
        _queue(world, sms)  # what is taken now leaves the queue as long as it was
        began = time.process_time()
        left = sms
        while left > 0:
            parts = world.take(min(_WINDOW, left))
            assert parts
            left -= len(parts)
            world.settle(*((part.part_key, Done(reference=f"{next(references):x}")) for part in parts))
        return Sample(cpu=(time.process_time() - began) * 1e6 / sms)

    return measure


def measure_users(effort: Effort) -> Iterator[Figure]:
    """Measure a mail judged and kept with few and with many users."""
    mails = effort.count(400, 50)
    most = int(_MANY * min(1, effort.scale * 2))
    with scratch() as folder, ExitStack() as stack, asyncio.Runner() as runner:
        sides: dict[str, Callable[[], Sample]] = {}
        for name, users in (("few", _FEW), ("many", most)):
            core, proven = _core(folder / name, users, stack)
            sides[name] = _accepting(runner, core, proven, users, mails)
        series = effort.alternate(sides)
    few, many = series["few"], series["many"]
    yield Figure(
        name="G8",
        what=f"a mail judged and kept, {most:,} users",
        ours=microseconds(many),
        peer=f"{_FEW} users {microseconds(few)}",
        ratio=many.cpu / few.cpu,
        goal=1.2,
        at_most=True,
    )


def _core(folder: Path, users: int, stack: ExitStack) -> tuple[AcceptPath, Principal]:
    with redirect_stdout(StringIO()):
        write_configuration(folder, "127.0.0.1:2525")
        with admin_session(folder / CONFIG_NAME) as session:
            customer_id = session.look(lambda tx: int(read(tx.rows, CustomerRow)[0].key))

            def add(edit: Edit) -> Changed:
                edit.stored.add_users(
                    [User(key=0, customer_id=customer_id, address=_address(number)) for number in range(users)], "file"
                )
                return changed(AuditAction.ADD_CUSTOMER, customer="demo")

            session.change(add, silent=True)
    config = read_config(folder / CONFIG_NAME)
    database: Database = database_of(config.server)
    database.open()
    stack.callback(database.close)
    core = AcceptPath(config, database)
    core.book.load_now()
    return core, Principal(customer_id=customer_id)


def _address(number: int) -> str:
    return f"user{number}@example.com"


def _accepting(
    runner: asyncio.Runner, core: AcceptPath, proven: Principal, users: int, mails: int
) -> Callable[[], Sample]:
    numbers = count()
    acceptance = Acceptance(
        database=core.database,
        outbound=core.outbound,
        limits=core.watch_limits(lambda _: None),
        accepted=lambda _: None,
    )

    async def accept(number: int) -> None:
        address = _address(number * 7919 % users)
        raw = plain_mail(f"<{number}@example.com>").replace(b"anna@example.com", address.encode())
        envelope = ReceivedEnvelope(reverse_path=address, recipients=(EnvelopeRecipient(address=RECIPIENT),))
        plan = core.judge.judge(raw, envelope, proven).plan
        assert plan is not None
        assert isinstance(await acceptance.keep(plan), Accepted)

    async def accept_all() -> None:
        for _ in range(mails // 20):
            await asyncio.gather(*(accept(next(numbers)) for _ in range(20)))

    def measure() -> Sample:
        began = time.process_time()
        runner.run(accept_all())
        return Sample(cpu=(time.process_time() - began) * 1e6 / (mails // 20 * 20))

    return measure
