"""Alerts reach the administrator once, delays their sender once, whatever restarts in between."""

import json
from datetime import timedelta
from functools import partial

import pytest
from structlog.testing import capture_logs

from gateway.admin.tls_rules import list_domains
from gateway.alerts import Alert, Alerts
from gateway.delays import Delays
from sms.lifecycle import MessageState
from sms.message import MailOrigin, ReceiptState
from sms.outcome import Done, Problem, ProblemCode
from sms.report import NoticeKind
from sms.settings import StatusReport
from store.answers import Rules as CarrierRules
from store.delays import DelayCursor, DelayStore, TellLate, find_late
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored
from store.queue import flush
from store.views import load_reports
from tests.kit.clock import START, Clock
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


def alerts_of(world, address: str) -> tuple[Alerts, list[int]]:
    written: list[int] = []
    alerts = Alerts(
        database=world.database,
        outbox=world.outbox,
        address=address,
        clock=Clock(),
        written=lambda: written.append(1),
    )
    return alerts, written


async def test_an_alert_is_logged_and_written_once_while_its_topic_is_quiet(world):
    alerts, written = alerts_of(world, "admin@example.net")
    with capture_logs() as logs:
        for number in range(3):
            alerts.raise_alert(Alert(topic="a", subject=f"Subject {number}", text="Text"))
            await alerts.stop()
    assert [entry["subject"] for entry in logs if entry["event"] == "alert"] == ["Subject 0", "Subject 1", "Subject 2"]
    assert len(written) == 1
    (taken,) = world.notices()
    assert (taken.public_id, taken.recipient) == (f"A.{taken.key}", "admin@example.net")
    assert json.loads(taken.about) == {"subject": "Subject 0", "text": "Text", "over": False, "stage": 0}


async def test_without_an_address_nothing_is_stored(world):
    alerts, _ = alerts_of(world, "")
    alerts.raise_alert(Alert(topic="a", subject="Subject", text="Text"))
    await alerts.stop()
    assert world.notices() == []


@pytest.fixture
def world(database):
    return StoreHarness("", CarrierRules(), database=database)


def delayed(world) -> list[str]:
    references = {job.key: job.reference for job in world.jobs()}
    return [references[row.job_key] for row in world.outbox_rows(kind=NoticeKind.DELAYED.value)]


def delays_of(world, clock, after: timedelta = timedelta(hours=4)) -> tuple[Delays, list[int]]:
    kicked: list[int] = []
    delays = Delays(
        database=world.database,
        keys=Keys(2, START.timestamp),
        after=after,
        clock=clock,
        notices_written=lambda: kicked.append(1),
    )
    return delays, kicked


async def test_the_sender_of_an_sms_that_takes_long_is_told_so_once(world):
    world.add("447700900101", reference="late")
    clock = Clock()
    delays, kicked = delays_of(world, clock)
    clock.instant = START + timedelta(hours=4) - timedelta(seconds=1)
    await delays.step()
    assert (delayed(world), kicked) == ([], [])
    clock.instant = START + timedelta(hours=4)
    for _ in range(3):
        await delays.step()
    assert (delayed(world), kicked) == (["late"], [1])
    after_a_restart, _ = delays_of(world, clock)
    await after_a_restart.step()
    assert delayed(world) == ["late"]


async def test_a_job_that_a_slow_disk_stored_after_a_younger_one_was_examined_is_told_too(world):
    clock = Clock()
    delays, _ = delays_of(world, clock, timedelta(seconds=1))
    for second in range(9):
        clock.instant = START + timedelta(seconds=second)
        await delays.step()
    world.add("447700900101", reference="stored late")
    clock.instant = START + timedelta(seconds=10)
    await delays.step()
    assert delayed(world) == ["stored late"]


async def test_who_wants_no_reports_or_has_his_result_already_is_told_of_no_delay(world):
    world.add("447700900101", reference="never", report=StatusReport.NEVER)
    world.add("447700900102", reference="nobody", mail=None)
    world.add("447700900103", reference="done")
    world.database.write_now(
        lambda tx, _: [tx.execute("UPDATE job SET settled_at = 1, open_messages = 0 WHERE reference = 'done'")], None
    )
    world.add("447700900104", reference="on failure", report=StatusReport.ON_FAILURE)
    clock = Clock()
    clock.instant = START + timedelta(hours=5)
    delays, _ = delays_of(world, clock)
    await delays.step()
    assert delayed(world) == ["on failure"]


async def test_what_goes_out_at_its_senders_time_is_late_only_after_that(world):
    later = world.now + 24 * HOUR
    world.add("447700900101", reference="scheduled", due_at=later, expires_at=later + HOUR)
    world.add("447700900102", reference="tried", due_at=later, expires_at=later + HOUR)
    world.add("447700900103", reference="held", due_at=later, expires_at=later + HOUR)
    _scheduled, tried, held = world.messages()
    world.database.write_now(
        lambda tx, _: [
            tx.execute("UPDATE message SET attempts = 1 WHERE key = ?", (tried.key,))
            + tx.execute("UPDATE message SET held = ? WHERE key = ?", (True, held.key))
        ],
        None,
    )
    clock = Clock()
    clock.instant = START + timedelta(hours=5)
    delays, _ = delays_of(world, clock)
    await delays.step()
    assert delayed(world) == ["scheduled", "tried", "held"]
    now = to_stored(clock.instant)
    dues = [row.due_at for row in world.outbox_rows(kind=NoticeKind.DELAYED.value)]
    assert dues == [later + 4 * HOUR, now, now]
    world.database.write_now(flush, now)
    assert [row.due_at for row in world.outbox_rows(kind=NoticeKind.DELAYED.value)] == dues


async def test_a_thousand_late_jobs_are_told_in_portions_each_once(world):
    for number in range(1201):
        world.add("447700900101", reference=str(number), accepted_at=world.now + number // 7)
    clock = Clock()
    clock.instant = START + timedelta(hours=5)
    delays, _ = delays_of(world, clock)
    looks = 1
    while await delays.step():
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
    for taken, tls in zip(world.notices(), ("TLSv1.3 X", "", "TLSv1.3 X"), strict=True):
        world.end_notice(taken, tls=tls)
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
    keys = [job.key for job in world.jobs()]
    (report,) = world.database.read_now(lambda tx: load_reports(tx, keys)).values()
    assert [(m.state, m.reason, m.parts[0].word) for m in report.messages] == [
        (MessageState.UNDELIVERED, "deleted", "PURGED"),
        (MessageState.SUBMITTED, "", ""),
    ]
