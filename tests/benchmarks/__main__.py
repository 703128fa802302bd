"""`make bench`: every goal as a ratio measured in this run, against what others do, in one table.

`--quick` takes at most a minute and is rougher; `--only G1 G4` measures only these, however long they take; `--full` gives G8
and search their million, and writes every table of reports whole.
A missing peer costs its lines and is named in them. The exit code is 0 whatever was measured: a goal missed is a fact,
no failure of the program. docs/performance.md says how to read it.
"""

import argparse
import os
import platform
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from tests.benchmarks.accepting import measure_accepting, measure_recipients
from tests.benchmarks.attack import measure_attack
from tests.benchmarks.directory import measure_directory
from tests.benchmarks.figures import Benchmark, Effort, Figure, MissingPeerError, render
from tests.benchmarks.growth import measure_queue, measure_search, measure_users
from tests.benchmarks.http_in import measure_http
from tests.benchmarks.inbound import measure_inbound
from tests.benchmarks.pipeline import measure_pipeline
from tests.benchmarks.planning import measure_planning
from tests.benchmarks.reports import measure_reports
from tests.benchmarks.sending import measure_client, measure_sending
from tests.benchmarks.steps import measure_steps
from tests.benchmarks.stores import measure_stores
from tests.benchmarks.submits import measure_submits
from tests.benchmarks.sync import measure_syncs
from tests.benchmarks.words import measure_parsing, measure_status_mail

BENCHMARKS: Sequence[Benchmark] = (
    Benchmark(figures=("G1", "G2", "G4"), measure=measure_accepting, seconds=95),
    Benchmark(figures=("steps",), measure=measure_steps, seconds=10),
    Benchmark(figures=("plan",), measure=measure_planning, seconds=40),
    Benchmark(figures=("SMS", "mail"), measure=measure_sending, seconds=25),
    Benchmark(figures=("G5",), measure=measure_recipients, seconds=20),
    Benchmark(figures=("G6",), measure=measure_client, seconds=20),
    Benchmark(figures=("G7",), measure=measure_status_mail, seconds=5),
    Benchmark(figures=("parse",), measure=measure_parsing, seconds=10),
    Benchmark(figures=("inbound",), measure=measure_inbound, seconds=40),
    Benchmark(figures=("submits",), measure=measure_submits, seconds=40),
    Benchmark(figures=("http",), measure=measure_http, seconds=40),
    Benchmark(figures=("directory",), measure=measure_directory, seconds=40),
    Benchmark(figures=("sync",), measure=measure_syncs, seconds=120),
    Benchmark(figures=("attack",), measure=measure_attack, seconds=40),
    Benchmark(figures=("G3",), measure=measure_pipeline, seconds=40),
    Benchmark(figures=("G8",), measure=measure_queue, seconds=40),
    Benchmark(figures=("G8",), measure=measure_users, seconds=20),
    Benchmark(figures=("search",), measure=measure_search, seconds=20),
    Benchmark(figures=("G9",), measure=measure_stores, seconds=40),
    Benchmark(figures=("reports",), measure=measure_reports, seconds=1200),
)
_USUAL, _QUICK = 590.0, 50.0
_QUICK_SHARE = 0.14
_LEAST = 20.0  # processes start slowly where others are busy


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for and print the table."""
    given = _arguments().parse_args(words)
    # Nothing that is measured in this process writes log lines: the gateway's own processes do, into files.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    effort = Effort(rounds=2, seconds=5, scale=0.1) if given.quick else Effort(full=given.full)
    budget = float("inf") if given.full or given.only else _QUICK if given.quick else _USUAL
    began = time.monotonic()
    figures: list[Figure] = []
    for benchmark in BENCHMARKS:
        if given.only and not set(given.only) & set(benchmark.figures):
            continue
        left = budget - (time.monotonic() - began)
        needed = benchmark.seconds * (_QUICK_SHARE if given.quick else 1)
        if needed > left:
            missing = f"no time left; measure it alone with --only {benchmark.figures[0]}"
            figures += [Figure(name=name, what="", missing=missing) for name in benchmark.figures]
            continue
        print(f"measuring {', '.join(benchmark.figures)} …", file=sys.stderr, flush=True)
        figures += _measured(benchmark, effort, min(left, max(3 * needed, _LEAST)))
    wanted = [figure for figure in figures if not given.only or figure.name in given.only]
    print(_heading(time.monotonic() - began))
    print(render(wanted))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = sorted({name for benchmark in BENCHMARKS for name in benchmark.figures})
    parser.add_argument("--quick", action="store_true", help="at most a minute, rougher")
    parser.add_argument("--full", action="store_true", help="a million queued for G8 and search; takes minutes more")
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names))
    return parser


def _measured(benchmark: Benchmark, effort: Effort, seconds: float) -> Iterable[Figure]:
    """Return a benchmark's figures; what breaks or hangs costs its own lines only, and is told with its traceback."""
    found: list[Figure] = []
    try:
        with _at_most(seconds):
            found += benchmark.measure(effort)
    except MissingPeerError as error:
        found += [Figure(name=name, what="", missing=str(error)) for name in benchmark.figures]
    except Exception as error:  # noqa: BLE001 - the other figures are still wanted
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        found += [Figure(name=name, what="", missing=told) for name in benchmark.figures]
    return found


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the body after so many seconds; its processes are ended on the way out."""

    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError("it took too long on this machine")

    if seconds == float("inf"):
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _heading(seconds: float) -> str:
    busy = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, load {busy:.1f}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version};"
        f" {seconds:.0f} s. Medians of sides taken in turn; trust the ratios, not the rates."
    )


if __name__ == "__main__":
    sys.exit(main())
