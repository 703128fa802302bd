"""Bounds on time that hold on any machine: multiples of a loop, measured in the same process beside the work.

A slow or busy machine slows both. If work can be repeated, one quiet turn of a few is enough; the garbage collector,
which would walk the heap of the whole test run, is off meanwhile.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_TURNS = 4


def spend_at_most(loops: float, work: Callable[[], T]) -> T:
    """Do the work and return its result. Raises AssertionError if it costs more CPU than `loops`.

    A loop is about 10 ms on a machine of 2026.
    """
    costs = []
    for _ in range(_TURNS):
        cost, result = _cost_of(work)
        costs.append(cost)
        if cost < loops:
            return result
    raise AssertionError(f"it costs {min(costs):.1f} loops; {loops:g} are allowed")


def cost_of(work: Callable[[], object]) -> float:
    """Return the least CPU of the work in a few turns, in loops: to compare two works."""
    return min(_cost_of(work)[0] for _ in range(_TURNS))


@contextmanager
def spent_at_most(loops: float, cpu: Callable[[], float]) -> Iterator[None]:
    """Bound the CPU of another process meanwhile; `cpu` returns its seconds so far."""
    loop, began = _cpu_of(_loop)[0], cpu()
    yield
    spent = cpu() - began
    cost = spent / max(loop, _cpu_of(_loop)[0])
    assert cost < loops, f"it costs {cost:.1f} loops; {loops:g} are allowed"


async def longest_stop(task: "asyncio.Task[object]") -> float:
    """Return the longest stop of the event loop as a share, 0 to 1, of a task's time."""
    began = last = time.perf_counter()
    longest = 0.0
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest / (last - began)


def _cost_of(work: Callable[[], T]) -> tuple[float, T]:
    before = _cpu_of(_loop)[0]
    spent, result = _cpu_of(work)
    return spent / min(before, _cpu_of(_loop)[0]), result


def _cpu_of(work: Callable[[], T]) -> tuple[float, T]:
    collected = gc.isenabled()
    gc.disable()
    try:
        began = time.process_time()
        result = work()
        return time.process_time() - began, result
    finally:
        if collected:
            gc.enable()


def _loop() -> int:
    """Do what Python code does: calls, words, tables."""
    counts: dict[str, int] = {}
    for number in range(20_000):
        word = f"{number % 700} words".upper()
        counts[word] = counts.get(word, 0) + len(word.split())
    return sum(counts.values())
