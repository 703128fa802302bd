"""G9: the same gateway on PostgreSQL and on SQLite; two gateways on one PostgreSQL. Both databases as durable as 250
wants.

Nodes, server and load share this machine's cores, so the CPU that a mail costs in all of them bounds what two nodes can
reach here; that bound stands in a line of its own below the ratio.
"""

import os
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from tests.benchmarks.figures import Effort, Figure, MissingPeerError, Sample, per_second, short
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.load import smtp_source
from tests.benchmarks.processes import cpu_of_tree, scratch
from tests.kit.databases import PostgresqlServer, find_postgresql

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


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU microseconds per mail: of the gateways together, of PostgreSQL, of what sends the mails."""

    nodes: float
    server: float
    load: float

    def __str__(self) -> str:
        return f"{short(self.nodes)} + {short(self.server)} + {short(self.load)} µs"


def most_mails(spent: Spent, nodes: int, cores: int) -> float:
    """Return the mails per second that so many nodes can take: one runs on one core at a time, all share the cores."""
    return min(nodes / spent.nodes, cores / (spent.nodes + spent.server + spent.load)) * 1e6


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
        server = _pid_of(url)
        alone, together = _Side((first,), server, 2 * mails), _Side((first, second), server, mails)
        series = effort.alternate({"sqlite": _Side((lite,), server, 2 * mails), "one": alone, "two": together})
    lite_series, one, two = series["sqlite"], series["one"], series["two"]
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
    cores = os.cpu_count() or 1
    yield Figure(
        name="G9",
        what=f"what {cores} cores allow two nodes at most, by the CPU per mail of nodes + PostgreSQL + smtp-source",
        ours=str(together.spent),
        peer=f"one node {alone.spent}",
        ratio=most_mails(together.spent, 2, cores) / most_mails(alone.spent, 1, cores),
    )


def _pid_of(url: str) -> int:
    """Return the process of which all of a server on this machine descend."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    return int((Path(found[0]) / "postmaster.pid").read_text().split()[0])


class _Side:
    """Gateways that are sent `mails` each at the same time, twenty connections in all; a call is one measurement."""

    def __init__(self, gateways: Sequence[Gateway], server: int, mails: int) -> None:
        self._gateways = gateways
        self._server = server
        self._mails = mails
        self._spent: list[Spent] = []

    @property
    def spent(self) -> Spent:
        """The median of each share."""
        return Spent(*(median(getattr(spent, share) for spent in self._spent) for share in ("nodes", "server", "load")))

    def __call__(self) -> Sample:
        before = self._cpu()
        with ThreadPoolExecutor(len(self._gateways)) as threads:
            rates = [sample.rate for sample in threads.map(self._send, self._gateways)]
        sent = self._mails * len(self._gateways)
        spent = Spent(*((after - start) * 1e6 / sent for after, start in zip(self._cpu(), before, strict=True)))
        self._spent.append(spent)
        return Sample(rate=min(rates) * len(rates), cpu=spent.nodes)

    def _send(self, ours: Gateway) -> Sample:
        return smtp_source(ours.port, ours.process, self._mails, sessions=20 // len(self._gateways))

    def _cpu(self) -> tuple[float, float, float]:
        load = resource.getrusage(resource.RUSAGE_CHILDREN)
        nodes = sum(ours.process.cpu() for ours in self._gateways)
        return nodes, cpu_of_tree(self._server), load.ru_utime + load.ru_stime
