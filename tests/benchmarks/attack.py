"""«attack»: what honest mail notices of thousands of slow connections and of somebody who guesses passwords without end.

Each honest mail is a conversation of its own, from connecting to QUIT, of a client that its address proves. Idle and
attacked take turns. Neither side of the attack is known: its connections are silent, send a command in drips, never
read a reply, or leave a command half; each guess is for another login and from another address, so that no bound on
guesses stops it and every one is looked at.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from tests.benchmarks.figures import Effort, Figure, percentile, short
from tests.benchmarks.gateway import Gateway, gateway
from tests.benchmarks.load import connected, send_one
from tests.benchmarks.processes import memory_of_tree, python, running, scratch

_SLOW, _GUESSING = 2_000, 16
_EVERY = 0.02
_MIB = 1024 * 1024
_turns = count(1)


def measure_attack(effort: Effort) -> Iterator[Figure]:
    """Measure the p99 of an honest mail, and the memory that the attack takes."""
    slow, guessing = effort.count(_SLOW, 40), effort.count(_GUESSING, 2)
    idle: list[float] = []
    attacked: list[float] = []
    grown: list[int] = []
    seconds = effort.seconds / 8
    listener = {"max_connections": 2 * _SLOW}
    with scratch() as folder, gateway(folder, clients="127.0.0.1/32", listener=listener) as server:
        _converse(server, 1)
        before = memory_of_tree(server.process.pid)
        for _ in range(max(2, effort.rounds // 2)):
            idle += _converse(server, seconds)
            with _attacking(server, "slow", slow):
                grown.append(memory_of_tree(server.process.pid) - before)
                with _attacking(server, "guess", guessing):
                    attacked += _converse(server, seconds)
            peak = memory_of_tree(server.process.pid, peak=True) - before
        guesses = server.log().count("event=auth_failed")
    quiet, busy = percentile(idle, 99), percentile(attacked, 99)
    yield Figure(
        name="attack",
        what=f"p99 of an honest mail, {slow:,} slow connections and {guessing} guessers beside idle",
        ours=f"{short(busy * 1000)} ms of {len(attacked):,} mails; {guesses:,} guesses",
        peer=f"idle {short(quiet * 1000)} ms",
        ratio=busy / quiet,
        goal=3.0,
        at_most=True,
    )
    yield Figure(
        name="attack",
        what="memory that a slow connection takes",
        ours=f"{short(grown[0] / _MIB)} MiB for {slow:,}; {short(peak / _MIB)} MiB at the peak, with guesses",
        ratio=grown[0] / slow / 1024,
        unit=" KiB",
        goal=32,
        at_most=True,
    )


@contextmanager
def _attacking(server: Gateway, way: str, how_many: int) -> Iterator[None]:
    command = python("tests.benchmarks.attackers", way, str(server.port), str(how_many))
    with running(command, log=server.folder / f"{way}.log", read_output=True) as attacker:
        attacker.line()
        yield


def _converse(server: Gateway, seconds: float) -> list[float]:
    """Return how long each honest mail took, one every 20 ms."""
    taken: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends or not taken:
        began = time.monotonic()
        with connected(server.port) as (connection, replies):
            send_one(connection, replies, f"honest.{next(_turns)}", 1)
        taken.append(time.monotonic() - began)
        time.sleep(max(0.0, _EVERY - taken[-1]))
    return taken
