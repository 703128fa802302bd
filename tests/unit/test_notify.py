"""Notices to their senders: what each answer of the mailbox comes to, how many at a time, and that none is forgotten."""

from datetime import timedelta
from functools import partial

import pytest

from gateway.notify import Notify
from gateway.ports import MailAttempt
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from sms.report import NoticeKind
from store.results import Rules
from tests.kit.clock import Clock
from tests.kit.fakes import FakeMailbox, until
from tests.kit.store_harness import WRONG, StoreHarness

DEFERRED = Problem(code=ProblemCode.MAIL_DEFERRED, text="The mailbox is busy.")
UNSAFE = Problem(code=ProblemCode.TLS_POLICY, text="4.7.5 No TLS as demanded.")


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


@pytest.fixture
async def run(world):
    """Start a notify; returns it with its mailbox and clock. Each notice is tried three times unless told otherwise."""
    running = []

    def thrice(attempt, created, now):
        return now + timedelta(minutes=attempt) if attempt < 3 else None

    def start(next_attempt=thrice, **options) -> tuple[Notify, FakeMailbox, Clock]:
        box, clock = FakeMailbox(), Clock()
        notify = Notify(
            database=world.database,
            outbox=world.outbox,
            sender=box,
            next_attempt=next_attempt,
            clock=clock,
            owner="me",
            **options,
        )
        notify.start()
        running.append((notify, box))
        return notify, box, clock

    yield start
    for notify, box in running:
        box.gate.set()
        await notify.stop(5)


def settled(world: StoreHarness, count: int = 1) -> None:
    """Store jobs that failed at once, each with its result notice."""
    for n in range(count):
        world.add(f"4477009001{n:02}")
    for part in world.take():
        world.settle((part.part_key, Failed(problem=WRONG)))


def notices(world: StoreHarness):
    return world.rows("SELECT state, attempts, reason FROM notice ORDER BY key")


async def test_a_notice_holds_the_whole_report_and_is_sent_once(world, run):
    settled(world)
    _, box, _ = run()
    await until(lambda: notices(world) == [("sent", 1, "")])
    (notice,) = box.told
    assert (notice.kind, notice.recipient, notice.attempt) == (NoticeKind.RESULT, "anna@example.com", 1)
    assert [message.number for message in notice.report.messages] == ["+447700900100"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Failed(problem=DEFERRED), ("failed", 1, "mail-deferred")),
        (Retry(problem=DEFERRED), ("queued", 1, "mail-deferred")),
        (Unknown(problem=DEFERRED), ("queued", 1, "mail-deferred")),
        (None, ("skipped", 1, "")),
    ],
)
async def test_what_the_mailbox_says_becomes_the_notices_state(outcome, expected, world, run):
    settled(world)
    _, box, _ = run()
    box.answer = lambda _: None if outcome is None else MailAttempt(outcome=outcome)
    await until(lambda: notices(world) == [expected])


async def test_a_delay_is_not_told_once_the_result_is_known(world, run):
    settled(world)
    world.execute("UPDATE notice SET kind = 'delayed'")
    _, box, _ = run()
    await until(lambda: notices(world) == [("skipped", 1, "")])
    assert box.told == []


async def test_what_a_process_says_whose_notice_another_one_took_meanwhile_changes_nothing(world, run):
    settled(world)
    _, box, _ = run()
    box.gate.clear()
    await until(lambda: box.at_once == 1)
    world.execute("UPDATE notice SET owner = 'other', attempts = 2")  # it was queued again and taken
    box.answer = lambda _: MailAttempt(outcome=Retry(problem=DEFERRED))
    box.gate.set()
    await until(lambda: world.rows("SELECT outcome FROM notice_attempt") == [("queued",)])
    assert notices(world) == [("sending", 2, "")]


async def test_a_deferred_notice_comes_again_when_it_is_due_and_is_given_up_at_the_end(world, run):
    settled(world)
    gone = []
    notify, box, clock = run(given_up=lambda taken, end: gone.append((taken.recipient, end.problem)))
    box.answer = lambda _: MailAttempt(outcome=Retry(problem=UNSAFE))
    for attempt in (1, 2):
        await until(partial(lambda now: notices(world) == [("queued", now, "tls-policy")], attempt))
        assert len(box.told) == attempt
        clock.move(timedelta(minutes=attempt))
        notify.kick()
    await until(lambda: notices(world) == [("failed", 3, "tls-policy")])
    assert [notice.attempt for notice in box.told] == [1, 2, 3]
    await until(lambda: gone == [("anna@example.com", "5.7.5 No TLS as demanded.")])


async def test_a_mail_that_its_server_never_confirms_is_sent_three_times_and_given_up(world, run):
    settled(world)
    gone = []
    notify, box, clock = run(
        next_attempt=lambda attempt, _, now: now + timedelta(minutes=1),
        given_up=lambda taken, end: gone.append((taken.attempt, end.reason)),
    )
    box.answer = lambda notice: MailAttempt(
        outcome=Retry(problem=DEFERRED) if notice.attempt == 2 else Unknown(problem=UNSAFE)
    )
    for attempt in (1, 2, 3):
        await until(partial(lambda now: [row[:2] for row in notices(world)] == [("queued", now)], attempt))
        clock.move(timedelta(minutes=1))
        notify.kick()
    await until(lambda: gone == [(4, "tls-policy")])
    assert notices(world) == [("failed", 4, "tls-policy")]
    outcomes = [outcome for (outcome,) in world.rows("SELECT outcome FROM notice_attempt ORDER BY key")]
    assert outcomes == ["unanswered", "queued", "unanswered", "unanswered"]


async def test_a_notice_that_cannot_be_made_is_tried_again_and_the_others_go_out(world, run):
    settled(world, 2)

    def answer(notice):
        if "100" in notice.report.messages[0].number:
            raise RuntimeError("a template broke")
        return MailAttempt(outcome=Done())

    _, box, _ = run()
    box.answer = answer
    await until(lambda: sorted(notices(world)) == [("queued", 1, "internal"), ("sent", 1, "")])


async def test_no_more_are_under_way_than_allowed(world, run):
    settled(world, 7)
    _, box, _ = run(most_at_once=3)
    box.gate.clear()
    await until(lambda: box.at_once == 3)
    box.gate.set()
    await until(lambda: [state for state, *_ in notices(world)] == ["sent"] * 7)
    assert box.most_at_once == 3


async def test_stopping_waits_for_what_is_under_way(world, run):
    settled(world)
    notify, box, _ = run()
    box.gate.clear()
    await until(lambda: box.at_once == 1)
    box.gate.set()
    await notify.stop(5)
    assert notices(world) == [("sent", 1, "")]


async def test_what_is_still_under_way_after_the_grace_is_sent_after_the_next_start(world, run):
    settled(world)
    notify, box, _ = run()
    box.gate.clear()
    await until(lambda: box.at_once == 1)
    await notify.stop(0)
    assert notices(world) == [("sending", 1, "")]
    again, box, _ = run()
    assert await again.recover() == 1
    again.kick()
    await until(lambda: notices(world) == [("sent", 2, "")])
