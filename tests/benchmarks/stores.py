"""G9: the same gateway on PostgreSQL and on SQLite; two gateways on one PostgreSQL. Both databases as durable as 250 wants."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from tests.benchmarks.figures import Effort, Figure, MissingPeerError, Sample, per_second
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.load import smtp_source
from tests.benchmarks.processes import scratch
from tests.databases import PostgresqlServer, find_postgresql

_DURABLE = ("fsync=on", "synchronous_commit=on", "max_connections=50", "unix_socket_directories=")


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server that keeps what it commits, and return its URL."""
    programs = find_postgresql()
    if programs is None:
        raise MissingPeerError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    server = PostgresqlServer(programs, options=_DURABLE, folder="/var/tmp")
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def measure_stores(effort: Effort) -> Iterator[Figure]:
    """Measure G9."""
    mails = effort.count(1000, 100)
    try:
        yield from _measure(effort, mails)
    except MissingPeerError as error:
        yield Figure(name="G9", what="mails/s accepted on PostgreSQL", missing=str(error))


def _measure(effort: Effort, mails: int) -> Iterator[Figure]:
    with scratch() as folder, postgresql() as url, ExitStack() as stack:
        lite = stack.enter_context(gateway(folder / "sqlite"))
        try:
            first = stack.enter_context(gateway(folder / "first", database=url))
            second = stack.enter_context(gateway(folder / "second", database=url, node=1, customer=False))
        except (RuntimeError, SystemExit) as error:
            last = str(error).strip().splitlines()[-1]
            yield Figure(
                name="G9", what="mails/s accepted on PostgreSQL", missing=f"the gateway does not run on it: {last[:80]}"
            )
            return
        series = effort.alternate(
            {"sqlite": _one(lite, mails), "postgresql": _one(first, mails), "two": _both(first, second, mails)},
        )
    lite_series, one, two = series["sqlite"], series["postgresql"], series["two"]
    yield Figure(
        name="G9",
        what="mails/s accepted on PostgreSQL (CPU of the gateway only)",
        ours=per_second(one),
        peer=f"SQLite {per_second(lite_series)}",
        ratio=one.rate / lite_series.rate,
        goal=0.7,
    )
    yield Figure(
        name="G9",
        what="mails/s accepted by two nodes on one PostgreSQL",
        ours=per_second(two),
        peer=f"one node {per_second(one)}",
        ratio=two.rate / one.rate,
        goal=1.3,
    )


def _one(ours: Gateway, mails: int) -> Callable[[], Sample]:
    return lambda: smtp_source(ours.port, ours.process, mails)


def _both(first: Gateway, second: Gateway, mails: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        with ThreadPoolExecutor(2) as threads:
            halves = list(
                threads.map(lambda ours: smtp_source(ours.port, ours.process, mails, sessions=10), (first, second))
            )
        return Sample(
            rate=2 * mails / max(mails / half.rate for half in halves), cpu=sum(half.cpu for half in halves) / 2
        )

    return measure
