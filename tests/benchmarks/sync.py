"""A run of a directory beside a gateway that takes mail: users a second, and what the mails notice of it."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from tests.benchmarks.figures import Effort, Figure, percentile, short
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.load import connected, send_one
from tests.benchmarks.processes import ROOT, python, scratch

_USERS = 50_000
_CHANGED = 100
_EVERY = 0.02
_turns = count(1)


def measure_syncs(effort: Effort) -> Iterator[Figure]:
    """Measure a first run of 50,000 users and a delta of 100 of them, with 50 mails a second all the time."""
    users = effort.count(_USERS, 1_000)
    with scratch() as folder, gateway(folder) as server:
        idle = latencies(server, lambda: time.sleep(effort.seconds / 4))
        full, during = _sync(server, users, 0)
        delta, meanwhile = _sync(server, users, _CHANGED)
        after = latencies(server, lambda: time.sleep(effort.seconds / 4))
    quiet = percentile([*idle, *after], 99)
    yield Figure(
        name="sync",
        what=f"first run of {users:,} users",
        ours=f"{short(users / full.seconds)} users/s; CPU {short(full.cpu)} s; {full.memory:.0f} MB",
    )
    yield Figure(
        name="sync",
        what=f"delta of {_CHANGED} of {users:,} users",
        ours=f"{short(delta.seconds)} s; CPU {short(delta.cpu)} s; {delta.memory:.0f} MB",
    )
    for what, taken in (("first run", during), ("delta", meanwhile)):
        busy = percentile(taken, 99)
        yield Figure(
            name="sync",
            what=f"p99 of accepting a mail, {what} beside idle",
            ours=f"{short(busy * 1000)} ms of {len(taken):,} mails",
            peer=f"idle {short(quiet * 1000)} ms",
            ratio=busy / quiet,
            unit="×",
            goal=2.0,
            at_most=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    cpu: float
    seconds: float
    memory: float


def _sync(server: Gateway, users: int, changed: int) -> tuple[_Run, list[float]]:
    words = [str(server.folder), str(users), str(changed), str(next(_turns))]
    said: list[str] = []

    def run() -> None:
        done = subprocess.run(
            python("tests.benchmarks.sync_run", *words), cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"sync_run: {done.stderr[-1500:]}")
        said.append(done.stdout)

    taken = latencies(server, run)
    cpu, seconds, memory = map(float, said[0].split())
    return _Run(cpu=cpu, seconds=seconds, memory=memory), taken


def latencies(server: Gateway, meanwhile: Callable[[], None]) -> list[float]:
    """Return how long each mail took, sent one after the other on one connection while something is done."""
    failed: list[BaseException] = []
    over = threading.Event()

    def work() -> None:
        try:
            meanwhile()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failed.append(error)
        finally:
            over.set()

    taken = []
    thread = threading.Thread(target=work)
    thread.start()
    with connected(server.port) as (connection, replies):
        while not over.wait(_EVERY):
            began = time.monotonic()
            send_one(connection, replies, f"sync.{next(_turns)}", 1)
            taken.append(time.monotonic() - began)
    thread.join()
    if failed:
        raise failed[0]
    return taken
