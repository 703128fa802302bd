"""Receipts into states, answered after the commit; silence into an end; the notice of a settled job is announced."""

from datetime import timedelta
from functools import partial

import pytest
from structlog.testing import capture_logs

from gateway.track import Track
from smpp.dialect.dialect import Dialect, IdBase
from smpp.dialect.submissions import unite_ids
from sms.message import Receipt, ReceiptState
from sms.outcome import Done
from store.answers import Rules
from store.engine.keys import to_instant
from store.engine.statements import Insert
from store.tables import SeenRow
from tests.kit.clock import Clock
from tests.kit.fakes import until
from tests.kit.store_harness import StoreHarness

NUMBER = "447700900101"


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules(receipt_grace={"alpha": timedelta(hours=1)}))
    yield world
    world.database.close()


@pytest.fixture
async def track(world):
    world.clock, world.told = Clock(), []
    track = track_of(world)
    yield track
    await track.worker.stop()


def track_of(world, dialect=None):
    """Return what takes receipts, where the dialect says what alpha's ids are."""
    return Track(
        database=world.database,
        outbound=world.outbound,
        progress=world.progress,
        clock=world.clock,
        notices_written=lambda: world.told.append(1),
        unite={} if dialect is None else {"alpha": partial(unite_ids, dialect=dialect)},
    )


def submitted(world: StoreHarness, parts: int = 1) -> list[str]:
    """Store a message of so many parts that the carrier has taken, and return its ids there."""
    world.add(NUMBER, parts=parts, receipt_wanted=True)
    taken = world.take()
    world.settle(*((part.part_key, Done(reference=f"c{part.index}")) for part in taken))
    return [f"c{part.index}" for part in taken]


def state(world: StoreHarness):
    message = world.messages()[0]
    return message.state, message.reason


def receipt(carrier_id: str, what: ReceiptState = ReceiptState.DELIVERED) -> Receipt:
    return Receipt(carrier="alpha", carrier_id=carrier_id, state=what, number=NUMBER)


async def test_a_receipt_is_committed_when_it_is_acknowledged(world, track):
    submitted(world)
    await track.reported([receipt("c1")])
    assert state(world) == ("delivered", "")
    assert world.told == [1]


async def test_receipts_of_parts_that_arrive_together_settle_the_job_once(world, track):
    ids = submitted(world, parts=4)
    with capture_logs() as log:
        await track.reported([receipt(one) for one in ids])
    assert [entry["event"] for entry in log] == ["job_settled"]
    assert state(world) == ("delivered", "")
    assert len(world.outbox_rows()) == 1


async def test_a_receipt_that_comes_twice_tells_nobody_twice(world, track):
    submitted(world)
    for _ in range(3):
        await track.reported([receipt("c1")])
    assert len(world.outbox_rows()) == 1
    assert len(world.receipts()) == 3


async def test_a_receipt_that_fits_nothing_is_kept(world, track):
    submitted(world)
    await track.reported([receipt("somebody else's")])
    assert state(world) == ("submitted", "")
    assert world.told == []
    assert [orphan.carrier_id for orphan in world.receipts(part_key=None)] == ["somebody else's"]


async def test_a_receipt_that_could_not_be_committed_is_not_acknowledged(world, track, monkeypatch):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(track, "_report", fail)
    with pytest.raises(OSError, match="the disk is full"):
        await track.reported([receipt("c1")])


async def test_what_no_carrier_took_in_time_expires_and_is_told(world, track):
    world.add(NUMBER)
    world.clock.instant = to_instant(world.now) + timedelta(hours=1, seconds=1)
    with capture_logs() as log:
        track.worker.start()
        await until(lambda: state(world) == ("expired", "validity-ended"))
        await until(lambda: world.told == [1])
    (job,) = world.jobs()
    assert log == [{"event": "job_settled", "job": job.public_id, "by": "silence", "log_level": "info"}]


async def test_all_digests_whose_time_has_ended_are_forgotten_however_many_there_are(world, track):
    digests = [(b"%d" % number, 1, world.now - number % 2) for number in range(24_000)]

    def remember(tx, items):
        tx.insert(Insert(SeenRow, "digest", "job_key", "until"), digests)
        return items

    world.database.write_now(remember, None)
    world.clock.instant = to_instant(world.now - 1)
    track.worker.start()
    await until(lambda: len(world.seen()) == 12_000)
    await track.worker.stop()
    assert {digest.until for digest in world.seen()} == {world.now}


async def test_a_receipt_that_never_comes_ends_as_unknown_after_the_grace(world, track):
    submitted(world)
    world.clock.instant = to_instant(world.now) + timedelta(hours=1, seconds=1)
    track.worker.start()
    await world.database.write(world.progress.sweep, world.now)
    assert state(world) == ("submitted", "")
    await track.worker.stop()
    world.clock.move(timedelta(hours=1))
    again = track_of(world)
    again.worker.start()
    await until(lambda: state(world) == ("unknown", "no-receipt"))
    await again.worker.stop()


async def test_each_word_of_a_receipt_that_nobody_knows_is_warned_of_once_and_decides_nothing(world, track):
    (name,) = submitted(world)
    with capture_logs() as logs:
        for word in ("PARKED", "PARKED", "LOITERING"):
            await track.reported([Receipt(carrier="alpha", carrier_id=name, state=ReceiptState.OTHER, word=word)])
    warned = [line for line in logs if line["event"] == "receipt_word_unknown"]
    assert [(line["word"], line["log_level"]) for line in warned] == [("PARKED", "warning"), ("LOITERING", "warning")]
    assert "receipt_states" in warned[0]["hint"]
    assert state(world) == ("submitted", "")


@pytest.mark.parametrize(
    ("answered", "reported", "setting"),
    [
        ("1a2b", "6699", 'id_in_response = "hex" and id_in_receipt = "decimal"'),
        ("00001A2B", "6699", 'id_in_response = "hex" and id_in_receipt = "decimal"'),
        ("6699", "1A2B", 'id_in_response = "decimal" and id_in_receipt = "hex"'),
        ("ABCX", "abcx", '"text-any-case"'),
        ("0000004711", "4711", "id_in_response and id_in_receipt"),
    ],
)
async def test_ids_that_never_fit_are_said_with_the_likely_setting_and_few_times(
    answered, reported, setting, world, track
):
    world.add(NUMBER, receipt_wanted=True)
    world.settle(*((part.part_key, Done(reference=answered)) for part in world.take()))
    with capture_logs() as logs:
        track.worker.start()
        for _ in range(9):
            await track.reported([receipt(reported)])
        world.clock.move(timedelta(seconds=5))
        await until(lambda: any(line["event"] == "receipts_fit_nothing" for line in logs))
    (warned,) = [line for line in logs if line["event"] == "receipts_fit_nothing"]
    assert (warned["log_level"], warned["carrier"], warned["receipts"]) == ("warning", "alpha", 9)
    assert setting in warned["hint"]


async def test_a_receipt_that_fits_as_soon_as_its_answer_comes_is_no_misfit(world, track):
    world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    with capture_logs() as logs:
        for _ in range(5):
            await track.reported([receipt("c1")])
        world.settle((part.part_key, Done(reference="c1")))
        world.clock.move(timedelta(seconds=5))
        track.worker.start()
        await track.worker.stop()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == []


HEX_THEN_DECIMAL = Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL)
DECIMAL_THEN_HEX = Dialect(id_in_response=IdBase.DECIMAL, id_in_receipt=IdBase.HEX)
ANY_CASE = Dialect(id_in_response=IdBase.TEXT_ANY_CASE, id_in_receipt=IdBase.TEXT_ANY_CASE)


@pytest.mark.parametrize(
    ("ids", "dialect"),
    [
        (("1A2B", "6699"), HEX_THEN_DECIMAL),
        (("00001a2b", "6699"), HEX_THEN_DECIMAL),
        (("1234", "0000004660"), HEX_THEN_DECIMAL),
        (("6699", "1A2B"), DECIMAL_THEN_HEX),
        (("ABCX", "abcx"), ANY_CASE),
    ],
)
@pytest.mark.parametrize("explained", ["before it came", "after it came"])
async def test_a_receipt_is_used_whose_ids_the_dialect_explains_only_after_their_sms_was_sent(
    ids, dialect, explained, world, track
):
    answered, reported = ids
    world.add(NUMBER, receipt_wanted=True)
    world.settle(*((part.part_key, Done(reference=answered)) for part in world.take()))
    explaining = track_of(world, dialect)
    for item in (receipt(reported, ReceiptState.ENROUTE), receipt(reported)):
        await (track if explained == "after it came" else explaining).reported([item])
    assert state(world) == ("submitted", "")
    world.clock.move(timedelta(seconds=5))
    explaining.worker.start()
    await until(lambda: state(world) == ("delivered", ""))
    await explaining.worker.stop()
    assert world.receipts(part_key=None) == []
    assert world.told == [1]


@pytest.mark.parametrize("answers", [["1A2B"], ["1A2B", "00001a2b"]], ids=["another number", "two that fit"])
async def test_a_receipt_whose_part_is_doubtful_is_given_to_none(answers, world, track):
    for answered in answers:
        world.add(NUMBER, receipt_wanted=True)
        world.settle(*((part.part_key, Done(reference=answered)) for part in world.take()))
    number = NUMBER if len(answers) > 1 else "447700900999"
    await track.reported([Receipt(carrier="alpha", carrier_id="6699", state=ReceiptState.DELIVERED, number=number)])
    explaining = track_of(world, HEX_THEN_DECIMAL)
    world.clock.move(timedelta(seconds=5))
    explaining.worker.start()
    await until(lambda: world.seen() == [])
    await explaining.worker.stop()
    assert {message.state for message in world.messages()} == {"submitted"}
