"""Alarms reach the administrator once, delays their sender once, whatever restarts in between."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import pytest

from gateway.admin.tls_rules import list_domains
from gateway.alerts import Alert, Alerts
from gateway.delays import Delays
from gateway.ports import Alarm, MailAttempt
from sms.lifecycle import MessageState
from sms.message import MailOrigin, ReceiptState
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry, Unknown
from sms.report import NoticeKind
from sms.settings import StatusReport
from store.alarms import AlarmEnd, AlarmStore, NewAlarm
from store.delays import DelayCursor, DelayStore, TellLate, find_late
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored
from store.outbox import NoticeEnd, TakeNotices
from store.results import Rules as CarrierRules
from store.views import load_reports
from tests.kit.clock import START
from tests.kit.store_harness import SECOND, StoreHarness

HOUR = 3600 * SECOND
NOW = to_stored(START)
WAITS = Problem(code=ProblemCode.TLS_POLICY, text="No mail server offers the TLS that is demanded.")


@pytest.fixture
def database(database_url):
    made = Database(database_url)
    made.open()
    yield made
    made.close()


def new(topic: str, now: int = NOW, quiet: int = HOUR) -> NewAlarm:
    return NewAlarm(topic=topic, subject=f"About {topic}", body="…", now=now, quiet=quiet)


def test_a_topic_is_told_once_and_then_quiet_while_others_are_told(database):
    store = AlarmStore(Keys(1, START.timestamp))
    assert database.write_now(store.add, new("a"))
    assert not database.write_now(store.add, new("a", NOW + HOUR - 1))
    assert database.write_now(store.add, new("b", NOW + 1))
    assert database.write_now(store.add, new("a", NOW + HOUR))
    assert [alarm.subject for alarm in database.write_now(store.take, NOW + HOUR)] == ["About a", "About b", "About a"]
    rows = database.read_now(lambda tx: tx.rows("SELECT topic, repeats FROM alarm ORDER BY key"))
    assert [tuple(row) for row in rows] == [("a", 1), ("b", 0), ("a", 0)]


def test_an_alarm_that_a_process_took_is_hidden_from_others_until_that_process_must_have_ended(database):
    store = AlarmStore(Keys(1, START.timestamp))
    database.write_now(store.add, new("a"))
    (first,) = database.write_now(store.take, NOW)
    assert database.write_now(store.take, NOW + 600 * SECOND) == []
    (again,) = database.write_now(store.take, NOW + HOUR)
    assert (again.key, again.attempt) == (first.key, 2)
    database.write_now(store.end, AlarmEnd(key=first.key, attempt=1, state="sent", now=NOW))
    assert database.read_now(lambda tx: tx.rows("SELECT state FROM alarm")) == [("queued",)]  # too late: it was taken
    database.write_now(store.end, AlarmEnd(key=first.key, attempt=2, state="sent", now=NOW))
    assert database.write_now(store.take, NOW + 10 * HOUR) == []


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


class FakeMailSender:
    """Answers each alarm with the next outcome; `None` breaks."""

    def __init__(self, *outcomes: Outcome | None) -> None:
        self.outcomes = list(outcomes)
        self.told: list[Alarm] = []

    async def send_alarm(self, alarm: Alarm) -> MailAttempt:
        self.told.append(alarm)
        outcome = self.outcomes.pop(0)
        if outcome is None:
            raise RuntimeError("broken")
        return MailAttempt(outcome=outcome)


def alarms_of(database, postman, clock) -> Alerts:
    def following(attempt: int, created_at: datetime, now: datetime) -> datetime | None:
        return now + timedelta(minutes=1) if attempt < 4 else None

    keys = Keys(1, lambda: clock.now().timestamp())
    return Alerts(database=database, keys=keys, sender=postman, next_attempt=following, clock=clock)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ((Done(),), "sent"),
        ((Retry(problem=WAITS), Done()), "sent"),
        ((None, Done()), "sent"),
        ((Failed(problem=WAITS),), "failed"),
        ((Retry(problem=WAITS),) * 4, "failed"),
        ((Unknown(problem=WAITS), Retry(problem=WAITS), Done()), "sent"),
        ((Unknown(problem=WAITS),) * 3, "failed"),
    ],
)
async def test_an_alarm_is_tried_again_until_it_is_told_or_its_time_is_over(database, outcomes, state):
    clock, postman = Clock(), FakeMailSender(*outcomes)
    alarms = alarms_of(database, postman, clock)
    alarms.raise_alert(Alert(topic="a", subject="Subject", text="Text"))
    await asyncio.gather(*alarms._writing)
    for _ in outcomes:
        await alarms._step()
        clock.at += timedelta(minutes=3)
    assert [alarm.subject for alarm in postman.told] == ["Subject"] * len(outcomes)
    assert len({alarm.identity for alarm in postman.told}) == 1
    assert database.read_now(lambda tx: tx.rows("SELECT state FROM alarm"))[0][0] == state


async def test_a_stop_waits_for_no_peer_and_the_alarm_is_told_after_the_next_start(database):
    asked = asyncio.Event()

    class Slow:
        async def send_alarm(self, alarm: Alarm) -> MailAttempt:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    alarms = alarms_of(database, Slow(), Clock())
    alarms.start()
    alarms.raise_alert(Alert(topic="a", subject="Subject", text="Text"))
    await asyncio.wait_for(asked.wait(), 60)
    await asyncio.wait_for(alarms.stop(), 60)
    assert database.read_now(lambda tx: tx.rows("SELECT state FROM alarm"))[0][0] == "queued"


async def test_without_an_address_nothing_is_stored(database):
    alarms = Alerts(
        database=database, keys=Keys(1, START.timestamp), sender=None, next_attempt=lambda *_: None, clock=Clock()
    )
    alarms.raise_alert(Alert(topic="a", subject="Subject", text="Text"))
    await alarms.stop()
    assert database.read_now(lambda tx: tx.rows("SELECT key FROM alarm")) == []


@pytest.fixture
def world(database):
    return StoreHarness("", CarrierRules(), database=database)


async def test_an_alarm_that_its_server_never_confirms_is_sent_three_times_whatever_fails_between(database):
    clock, doubt = Clock(), Unknown(problem=WAITS)
    postman = FakeMailSender(doubt, doubt, Retry(problem=WAITS), doubt)
    for attempt in range(4):
        alarms = alarms_of(database, postman, clock)  # a process of its own remembers what an earlier one saw
        if not attempt:
            alarms.raise_alert(Alert(topic="a", subject="Subject", text="Text"))
            await asyncio.gather(*alarms._writing)
        await alarms._step()
        clock.at += timedelta(minutes=3)
    assert not await alarms._step()
    rows = database.read_now(lambda tx: tx.rows("SELECT state, attempts, problem FROM alarm"))
    assert [tuple(row) for row in rows] == [("failed", 4, WAITS.text)]
    kept = "SELECT count(*) FROM notice_attempt"
    assert database.read_now(lambda tx: tx.rows(kept))[0][0] == 3
    database.write_now(AlarmStore(Keys(1, START.timestamp)).add, new("b", to_stored(START + timedelta(days=31))))
    assert database.read_now(lambda tx: tx.rows(kept))[0][0] == 0


def delayed(world) -> list[str]:
    rows = world.database.read_now(
        lambda tx: tx.rows(
            "SELECT j.reference FROM notice n JOIN job j ON j.key = n.job_key WHERE n.kind = ? ORDER BY n.key",
            (NoticeKind.DELAYED.value,),
        )
    )
    return [reference for (reference,) in rows]


def delays_of(world, clock, hours: int = 4) -> tuple[Delays, list[int]]:
    kicked: list[int] = []
    delays = Delays(
        database=world.database,
        keys=Keys(2, START.timestamp),
        after=timedelta(hours=hours),
        clock=clock,
        notices_written=lambda: kicked.append(1),
    )
    return delays, kicked


async def test_the_sender_of_an_sms_that_takes_long_is_told_so_once(world):
    world.add("447700900101", reference="late")
    clock = Clock()
    delays, kicked = delays_of(world, clock)
    clock.at = START + timedelta(hours=4) - timedelta(seconds=1)
    await delays._look()
    assert (delayed(world), kicked) == ([], [])
    clock.at = START + timedelta(hours=4)
    for _ in range(3):
        await delays._look()
    assert (delayed(world), kicked) == (["late"], [1])
    after_a_restart, _ = delays_of(world, clock)
    await after_a_restart._look()
    assert delayed(world) == ["late"]


async def test_who_wants_no_reports_or_has_his_result_already_is_told_of_no_delay(world):
    world.add("447700900101", reference="never", report=StatusReport.NEVER)
    world.add("447700900102", reference="nobody", mail=None)
    world.add("447700900103", reference="done")
    world.database.write_now(
        lambda tx, _: [tx.execute("UPDATE job SET settled_at = 1, open_messages = 0 WHERE reference = 'done'")], None
    )
    world.add("447700900104", reference="on failure", report=StatusReport.ON_FAILURE)
    clock = Clock()
    clock.at = START + timedelta(hours=5)
    delays, _ = delays_of(world, clock)
    await delays._look()
    assert delayed(world) == ["on failure"]


async def test_a_thousand_late_jobs_are_told_in_portions_each_once(world):
    for number in range(1201):
        world.add("447700900101", reference=str(number), accepted_at=world.now + number // 7)
    clock = Clock()
    clock.at = START + timedelta(hours=5)
    delays, _ = delays_of(world, clock)
    looks = 1
    while await delays._look():
        looks += 1
    assert looks == 3
    assert sorted(delayed(world), key=int) == [str(number) for number in range(1201)]


def test_a_look_costs_what_was_accepted_since_the_last(world):
    world.add("447700900101")
    store = DelayStore(Keys(2, START.timestamp))
    place = world.database.read_now(partial(find_late, since=DelayCursor(), until=world.now))
    assert place is not None
    told = world.database.write_now(store.tell, TellLate(since=place, until=world.now, now=world.now))
    assert (told.notices, told.more) == (1, False)
    assert world.database.read_now(partial(find_late, since=told.place, until=world.now)) is None


def test_every_domain_that_mail_went_to_is_listed_with_what_is_in_force_and_what_went_in_clear(world, tmp_path):
    for address in ("anna@example.com", "bert@Example.com", "carl@example.org"):
        world.add("447700900101", mail=MailOrigin(reverse_path=address))
    clock = to_instant(world.now + 5 * HOUR)
    store = DelayStore(Keys(2, START.timestamp))
    world.database.write_now(store.tell, TellLate(since=DelayCursor(), until=to_stored(clock), now=to_stored(clock)))
    world.now = to_stored(clock)
    world.live()
    notices = world.database.write_now(world.outbox.take, TakeNotices(now=world.now, most=9, owner=world.owner))
    for taken, tls in zip(notices, ("TLSv1.3 X", "", "TLSv1.3 X"), strict=True):
        end = NoticeEnd(key=taken.key, job_key=taken.job_key, attempt=1, state="sent", at=world.now, tls=tls)
        world.database.write_now(world.outbox.end, end)
    states = world.database.read_now(lambda tx: list_domains(tx, "", (), START))
    assert [(s.domain, s.customer, s.delivered, s.in_clear, s.view()["enforced"]) for s in states] == [
        ("example.com", "Example Ltd", 2, 1, False),
        ("example.org", "Example Ltd", 1, 0, False),
    ]


def test_the_networks_own_word_for_what_it_reported_is_known(world):
    world.add("447700900101", "447700900102", receipt_wanted=True)
    for taken in world.take():
        reference = f"X{taken.part_key}"
        world.settle((taken.part_key, Done(reference=reference)))
        world.receipt(reference, ReceiptState.ACCEPTED, word="ACCEPTD")
        world.now += 1
        if taken.number.digits.endswith("101"):
            world.receipt(reference, ReceiptState.DELETED, word="PURGED")
    keys = world.database.read_now(lambda tx: [key for (key,) in tx.rows("SELECT key FROM job")])
    (report,) = world.database.read_now(lambda tx: load_reports(tx, keys)).values()
    assert [(m.state, m.reason, m.parts[0].word) for m in report.messages] == [
        (MessageState.UNDELIVERED, "deleted", "PURGED"),
        (MessageState.SUBMITTED, "", ""),
    ]
