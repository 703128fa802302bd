"""A worker goes on whatever its step raises: ever more rarely, and somebody hears of it once."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from gateway.worker import PAUSES, Trouble, Worker, troubles
from sms.retry import Ladder
from tests.kit.patience import PATIENCE


class Step:
    """Raises as often as told, then works; `tries` has the loop's time of each try, `meanwhile` is called
    before it raises."""

    def __init__(self, failures: int, *, more: int = 1) -> None:
        self.failures = failures
        self.meanwhile: Callable[[], None] = lambda: None
        self.tries: list[float] = []
        self._enough = asyncio.Event()
        self._wanted = failures + more

    async def __call__(self) -> bool:
        self.tries.append(asyncio.get_running_loop().time())
        if len(self.tries) >= self._wanted:
            self._enough.set()
        if len(self.tries) <= self.failures:
            self.meanwhile()
            raise OSError("the disk is full")
        return False

    async def ends(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._enough.wait()


@pytest.fixture
def heard():
    told: list[Trouble] = []
    token = troubles.set(told.append)
    yield told
    troubles.reset(token)


def test_the_pauses_after_failures_grow_to_a_bound():
    pauses = [PAUSES.wait(failures) for failures in range(1, 20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 10 * pauses[0]


async def test_a_step_that_fails_is_tried_ever_more_rarely_and_kicks_do_not_hurry_it():
    step = Step(3)
    worker = Worker("w", step, look_every=60, pauses=Ladder.of_seconds(0.05, 0.1, 0.2))
    step.meanwhile = worker.kick
    worker.start()
    await step.ends()
    await worker.stop()
    waits = [later - earlier for earlier, later in zip(step.tries, step.tries[1:], strict=False)][:3]
    assert [wait >= pause for wait, pause in zip(waits, (0.05, 0.1, 0.2), strict=True)] == [True] * 3


async def test_a_worker_that_fails_for_long_is_told_of_once_and_once_when_it_works_again(heard):
    step = Step(4)
    worker = Worker("w", step, look_every=60, pauses=Ladder.of_seconds(0.0), told_after=0)
    worker.start()
    await step.ends()
    await worker.stop()
    assert [(trouble.worker, trouble.kind, trouble.over) for trouble in heard] == [
        ("w", "OSError", False),
        ("w", "OSError", True),
    ]
    assert heard[0].cause == "OSError: the disk is full"


async def test_a_worker_that_fails_for_a_moment_is_not_told_of(heard):
    step = Step(4)
    worker = Worker("w", step, look_every=60, pauses=Ladder.of_seconds(0.0))
    worker.start()
    await step.ends()
    await worker.stop()
    assert heard == []


async def test_a_worker_that_waits_after_a_failure_stops_at_once():
    step = Step(1, more=0)
    worker = Worker("w", step, look_every=60, pauses=Ladder.of_seconds(3600.0))
    worker.start()
    await step.ends()
    async with asyncio.timeout(PATIENCE):
        await worker.stop()
    assert len(step.tries) == 1


async def test_a_worker_rests_after_each_step_in_proportion_to_it_and_stops_in_the_middle_of_a_rest():
    loop, took = asyncio.get_running_loop(), 0.05
    began = []

    async def step():
        began.append(loop.time())
        await asyncio.sleep(took)
        if len(began) == 3:
            third.set()
        return True

    third = asyncio.Event()
    worker = Worker("w", step, look_every=60, rest=3.0)
    worker.start()
    await third.wait()
    assert all(after - before >= 3.9 * took for before, after in pairwise(began))
    await worker.stop()
    assert len(began) == 3
