"""What a carrier is asked back: until it says yes or no, ever more rarely, ten times at most."""

from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.cancel import Cancelled, Cancelling, cancel_waiting
from sms.number import MobileNumber, SenderId
from sms.outcome import Done, Failed, Outcome, Retry, Unknown
from store.answers import Rules
from store.engine.database import Transaction
from store.engine.keys import to_instant
from tests.kit.clock import Clock
from tests.kit.fakes import until
from tests.kit.store_harness import BUSY, LOST, WRONG, StoreHarness

NUMBER = "447700900101"
HOUR = timedelta(hours=1)


class HastyClock(Clock):
    """An hour later at each look."""

    def now(self) -> datetime:
        self.move(HOUR)
        return self.instant


class AskedCarrier:
    """Answers each cancelling with the next of `outcomes`, the last one for ever.

    `waits` has how long the request had been put off before each question but the first.
    """

    def __init__(self, world: StoreHarness, clock: HastyClock, *outcomes: Outcome) -> None:
        self.world = world
        self.clock = clock
        self.outcomes = list(outcomes)
        self.asked = 0
        self.waits: list[timedelta] = []

    async def cancel(self, carrier_id: str, number: MobileNumber, sender: SenderId | None) -> Outcome:
        assert (carrier_id, number.digits, sender) == ("c1", NUMBER, None)
        (request,) = self.world.cancel_requests()
        if self.asked:
            self.waits.append(
                to_instant(request.due_at) - (self.clock.instant - HOUR)
            )  # put off at the look before this one
        self.asked += 1
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="c1")))
    yield world
    world.database.close()


async def ask_back(world: StoreHarness, *outcomes: Outcome) -> tuple[AskedCarrier, list[str]]:
    """Leave a request to cancel the message, and return the carrier that answers so and the log's events, when it is gone."""
    (message,) = world.messages()

    def ask(tx: Transaction, keys: list[int]) -> list[Cancelled]:
        return [cancel_waiting(tx, world.progress, (key,), world.now) for key in keys]

    assert world.database.write_now(ask, message.key).asked == 1
    clock = HastyClock()
    carrier = AskedCarrier(world, clock, *outcomes)
    cancelling = Cancelling(
        database=world.database,
        progress=world.progress,
        carriers={"alpha": carrier},
        clock=clock,
        notices_written=lambda: None,
    )
    with capture_logs() as log:
        cancelling.worker.start()
        try:
            await until(lambda: world.cancel_requests() == [])
        finally:
            await cancelling.worker.stop()
    return carrier, [entry["event"] for entry in log]


async def test_a_carrier_that_is_always_busy_is_asked_ever_more_rarely_ten_times_and_then_given_up_aloud(world):
    carrier, events = await ask_back(world, Retry(problem=BUSY))
    assert carrier.asked == 10
    assert carrier.waits == sorted(carrier.waits)
    assert carrier.waits[0] < timedelta(seconds=10)
    assert carrier.waits[-1] >= timedelta(minutes=30)
    assert events == ["cancel_asked"] * 10 + ["cancel_given_up"]
    assert [message.state for message in world.messages()] == ["submitted"]


async def test_a_carrier_that_was_busy_and_then_agrees_ends_the_message(world):
    carrier, events = await ask_back(world, Retry(problem=BUSY), Done())
    assert carrier.asked == 2
    assert "cancel_given_up" not in events
    assert [message.state for message in world.messages()] == ["cancelled"]


@pytest.mark.parametrize("outcome", [Failed(problem=WRONG), Unknown(problem=LOST)], ids=["refused", "unanswered"])
async def test_a_carrier_that_refuses_or_never_answers_is_asked_once(world, outcome):
    carrier, _ = await ask_back(world, outcome)
    assert carrier.asked == 1
    assert [message.state for message in world.messages()] == ["submitted"]
