"""Asking about parts without a receipt: once, before silence ends them, and never in the way of anything else."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.query_carrier import Asking
from gateway.track import Track
from smpp.client.outcomes import LINK_DOWN, WITHOUT_ANSWER
from smpp.session.events import Missing
from sms.message import Receipt, ReceiptState
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry
from store.answers import Rules
from store.engine.keys import to_instant
from tests.kit.clock import Clock
from tests.kit.fakes import until
from tests.kit.store_harness import StoreHarness

NUMBER = "447700900101"
GRACE = timedelta(hours=1)
REFUSED = Failed(
    problem=Problem(code=ProblemCode.CARRIER_REFUSED, text="It does not know it.", cause="ESME_RQUERYFAIL")
)


class Asked:
    """A carrier that answers `answer`, after `gate` where one is set."""

    def __init__(self):
        self.asked = []
        self.answer = lambda carrier_id: Receipt(carrier="alpha", carrier_id=carrier_id, state=ReceiptState.DELIVERED)
        self.gate = asyncio.Event()
        self.gate.set()

    async def query(self, carrier_id, sender):
        self.asked.append(carrier_id)
        await self.gate.wait()
        return self.answer(carrier_id)


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules(receipt_grace={"alpha": GRACE}))
    yield world
    world.database.close()


@pytest.fixture
async def house(world):
    """Return the world with its clock, a carrier to ask, and what is to be started."""
    world.clock, world.carrier = Clock(), Asked()
    world.track = Track(
        database=world.database,
        outbound=world.outbound,
        progress=world.progress,
        clock=world.clock,
        notices_written=lambda: None,
    )
    world.reported = world.track.reported

    async def reported(receipts):
        await world.reported(receipts)

    def asking():
        return Asking(
            database=world.database,
            carriers={"alpha": world.carrier},
            graces={"alpha": GRACE},
            clock=world.clock,
            reported=reported,
        )

    world.asking = asking
    return world


def submitted(world: StoreHarness, count: int = 1) -> list[str]:
    """Store messages that the carrier has taken, and return its ids."""
    ids = []
    for _ in range(count):
        world.add(NUMBER, receipt_wanted=True)
        (part,) = world.take()
        ids.append(f"c{part.part_key}")
        world.settle((part.part_key, Done(reference=ids[-1])))
    return ids


def before_the_end(world, by: timedelta) -> None:
    """Set the clock to so long before the time for receipts is over; at the end of the validity it was swept."""
    world.database.write_now(world.progress.sweep, world.now + 3_601_000_000)
    world.clock.instant = to_instant(world.now) + timedelta(hours=1) + GRACE - by


def states(world: StoreHarness) -> list[str]:
    return [message.state for message in world.messages()]


async def looks(asking: Asking, times: int = 1) -> None:
    """Let it look so many times, without waiting for the clock on the wall."""
    for _ in range(times):
        for asker in asking.askers:
            while await asker.step():
                pass


async def test_a_part_is_asked_about_a_minute_before_its_end_and_the_answer_counts_like_a_receipt(house):
    (carrier_id,) = submitted(house)
    asking = house.asking()
    before_the_end(house, timedelta(seconds=61))
    await looks(asking)
    assert (house.carrier.asked, states(house)) == ([], ["submitted"])
    before_the_end(house, timedelta(seconds=59))
    with capture_logs() as log:
        await looks(asking)
    assert (house.carrier.asked, states(house)) == ([carrier_id], ["delivered"])
    assert [line for line in log if line["event"] == "query_answered"] == [
        {
            "event": "query_answered",
            "carrier": "alpha",
            "message": house.messages()[0].public_id,
            "said": "delivered",
            "log_level": "info",
        }
    ]
    assert [(receipt.state, receipt.carrier_id) for receipt in house.receipts()] == [("delivered", carrier_id)]


@pytest.mark.parametrize(
    "answer",
    [
        Receipt(carrier="alpha", carrier_id="x", state=ReceiptState.ENROUTE),
        Receipt(carrier="alpha", carrier_id="x", state=ReceiptState.UNKNOWN),
        REFUSED,
        WITHOUT_ANSWER[Missing.TIMED_OUT],
        Retry(problem=Problem(code=ProblemCode.THROTTLED, text="Too fast.")),
    ],
    ids=["on its way", "unknown there too", "refused", "no answer", "throttled"],
)
async def test_an_answer_that_is_no_end_changes_nothing_and_is_not_asked_for_again(house, answer):
    submitted(house)
    house.carrier.answer = lambda _: answer
    asking = house.asking()
    before_the_end(house, timedelta(seconds=50))
    await looks(asking, 3)
    house.clock.move(timedelta(seconds=40))
    await looks(asking)
    assert (len(house.carrier.asked), states(house)) == (1, ["submitted"])
    house.clock.move(timedelta(seconds=11))
    house.track.worker.start()
    await until(lambda: states(house) == ["unknown"])
    await house.track.worker.stop()
    assert [message.reason for message in house.messages()] == ["no-receipt"]
    await looks(asking)
    assert len(house.carrier.asked) == 1


async def test_a_dead_link_is_waited_for_and_everybody_is_asked_once_it_lives(house):
    ids = submitted(house, 3)
    delivered = house.carrier.answer
    house.carrier.answer = lambda carrier_id: LINK_DOWN if len(house.carrier.asked) < 3 else delivered(carrier_id)
    asking = house.asking()
    before_the_end(house, timedelta(seconds=50))
    await looks(asking, 3)
    # Twice nothing went out; the third time all three did.
    assert house.carrier.asked == [ids[0], ids[0], *ids]
    assert states(house) == ["delivered"] * 3


async def test_a_slow_carrier_holds_up_no_sweep_and_what_it_did_not_answer_in_time_ends_as_ever(house):
    submitted(house, 2)
    house.carrier.gate.clear()
    asking = house.asking()
    before_the_end(house, timedelta(seconds=50))
    asking.start()
    await until(lambda: len(house.carrier.asked) == 1)
    house.clock.move(timedelta(seconds=51))
    house.track.worker.start()
    await until(lambda: states(house) == ["unknown", "unknown"])
    # The late answer still corrects what was given up; the other part is over and not asked about.
    house.carrier.gate.set()
    await until(lambda: sorted(states(house)) == ["delivered", "unknown"])
    await asking.stop()
    await house.track.worker.stop()
    assert len(house.carrier.asked) == 1


async def test_parts_of_one_job_that_end_together_are_each_asked_once_page_by_page(house, monkeypatch):
    monkeypatch.setattr("gateway.query_carrier._MOST", 2)
    numbers = [f"44770090010{place}" for place in range(7)]
    house.add(*numbers, receipt_wanted=True)
    parts = house.take()
    house.settle(*((part.part_key, Done(reference=f"c{part.part_key}")) for part in parts))
    before_the_end(house, timedelta(seconds=30))
    await looks(house.asking(), 2)
    assert sorted(house.carrier.asked) == sorted(f"c{part.part_key}" for part in parts)
    assert states(house) == ["delivered"] * 7


async def test_an_answer_that_could_not_be_written_down_is_kept_and_not_asked_for_again(house):
    submitted(house)
    asking, real = house.asking(), house.reported

    async def fail(_receipts):
        raise OSError("the disk is full")

    house.reported = fail
    before_the_end(house, timedelta(seconds=50))
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is full"):
            await looks(asking)
    assert (len(house.carrier.asked), states(house)) == (1, ["submitted"])
    house.reported = real
    await looks(asking)
    assert (len(house.carrier.asked), states(house)) == (1, ["delivered"])


async def test_a_new_process_asks_again_what_the_old_one_did_not_write_down(house):
    submitted(house)
    house.carrier.answer = lambda _: REFUSED
    before_the_end(house, timedelta(seconds=50))
    await looks(house.asking())
    await looks(house.asking())
    assert len(house.carrier.asked) == 2


async def test_what_has_its_receipt_or_another_carrier_is_not_asked_about(house):
    done, other = submitted(house, 2)
    house.receipt(done, ReceiptState.DELIVERED)
    house.database.write_now(
        lambda tx, ids: [tx.execute("UPDATE part SET carrier = 'beta' WHERE carrier_id = ?", (one,)) for one in ids],
        other,
    )
    before_the_end(house, timedelta(seconds=50))
    await looks(house.asking())
    assert house.carrier.asked == []
