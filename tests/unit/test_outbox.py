"""The outbox: what each answer comes to, how many at a time and for whom, and that none is forgotten or sent twice."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from structlog.testing import capture_logs

from gateway.outbox import ChannelRules, OutboxLoop
from gateway.ports import AlertMail, MailAttempt
from sms.outbox import OUTBOX_TRANSITIONS, WAITING, OutboxEvent, OutboxState, destination_of, states_before
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from sms.report import Channel, NoticeKind
from sms.retry import Ladder
from store.answers import Rules
from store.outbox import NewRow
from tests.kit.clock import Clock
from tests.kit.fakes import FakeMailbox, until
from tests.kit.store_harness import WRONG, StoreHarness

DEFERRED = Problem(code=ProblemCode.MAIL_DEFERRED, text="The mailbox is busy.")
UNSAFE = Problem(code=ProblemCode.TLS_POLICY, text="4.7.5 No TLS as demanded.")
TWO_MINUTES = Ladder(waits=[timedelta(minutes=1)], expire_after=timedelta(minutes=2))
EACH_MINUTE = Ladder(waits=[timedelta(minutes=1)], expire_after=timedelta(minutes=9))


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


@pytest.fixture
async def run(world):
    """Start an outbox; returns it with its mailbox and clock. Each row is tried three times unless told otherwise."""
    running = []

    def start(ladder=TWO_MINUTES, *, started: bool = True, **rules) -> tuple[OutboxLoop, FakeMailbox, Clock]:
        box, clock = FakeMailbox(), Clock()
        loop = OutboxLoop(
            database=world.database,
            outbox=world.outbox,
            channels={Channel.MAIL: ChannelRules(sender=box, ladder=ladder, **rules)},
            clock=clock,
            owner="me",
            chance=lambda: 0.0,
        )
        if started:
            loop.start()
        running.append((loop, box))
        return loop, box, clock

    yield start
    for loop, box in running:
        box.gate.set()
        await loop.stop(5)


def settled(world: StoreHarness, count: int = 1) -> None:
    """Store jobs that failed at once, each with its result notice."""
    for n in range(count):
        world.add(f"4477009001{n:02}")
    for part in world.take():
        world.settle((part.part_key, Failed(problem=WRONG)))


def notices(world: StoreHarness):
    return [(notice.state, notice.attempts, notice.reason) for notice in world.outbox_rows()]


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
    world.execute("UPDATE outbox SET kind = 'delayed'")
    _, box, _ = run()
    await until(lambda: notices(world) == [("skipped", 1, "")])
    assert box.told == []


async def test_what_a_process_says_whose_notice_another_one_took_meanwhile_changes_nothing(world, run):
    settled(world)
    _, box, _ = run()
    box.gate.clear()
    await until(lambda: box.at_once == 1)
    world.execute("UPDATE outbox SET owner = 'other', attempts = 2")  # it was queued again and taken
    box.answer = lambda _: MailAttempt(outcome=Retry(problem=DEFERRED))
    box.gate.set()
    await until(lambda: [attempt.outcome for attempt in world.outbox_attempts()] == ["queued"])
    assert notices(world) == [("sending", 2, "")]


async def test_a_deferred_notice_comes_again_when_it_is_due_and_is_given_up_at_the_end(world, run):
    settled(world)
    gone = []
    notify, box, clock = run(given_up=lambda taken, end: gone.append((taken.recipient, end.problem)))
    box.answer = lambda _: MailAttempt(outcome=Retry(problem=UNSAFE))
    for attempt in (1, 2):
        await until(partial(lambda now: notices(world) == [("queued", now, "tls-policy")], attempt))
        assert len(box.told) == attempt
        clock.move(timedelta(minutes=1))
        notify.kick()
    await until(lambda: notices(world) == [("failed", 3, "tls-policy")])
    assert [notice.attempt for notice in box.told] == [1, 2, 3]
    await until(lambda: gone == [("anna@example.com", "5.7.5 No TLS as demanded.")])


async def test_a_mail_that_its_server_never_confirms_is_sent_three_times_and_given_up(world, run):
    settled(world)
    gone = []
    notify, box, clock = run(
        EACH_MINUTE,
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
    outcomes = [attempt.outcome for attempt in world.outbox_attempts()]
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
    _, box, _ = run(most=3, each=3)
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
    again, box, _ = run(started=False)
    assert await again.recover() == 1
    again.start()
    await until(lambda: notices(world) == [("sent", 2, "")])


def alert(world: StoreHarness, address: str, number: int = 0) -> None:
    """Write one alert to this address."""
    row = NewRow(kind="alert", prefix="A", recipient=address, now=world.now, about={"subject": str(number), "text": ""})
    world.database.write_now(world.outbox.add, row)


def domains(box: FakeMailbox) -> list[str]:
    return [item.recipient.partition("@")[2] for item in box.told]


async def test_a_row_that_belongs_to_no_job_goes_the_same_way(world, run):
    alert(world, "admin@example.net")
    _, box, _ = run()
    await until(lambda: notices(world) == [("sent", 1, "")])
    (told,) = box.told
    assert isinstance(told, AlertMail)
    assert told.recipient == "admin@example.net"


async def test_destinations_that_hang_never_delay_another_one(world, run):
    for number in range(60):
        alert(world, f"one@hangs{number % 3}.example", number)
    loop, box, _ = run(most=4, each=2, started=False)
    box.gate.clear()
    while await loop.step():
        pass
    await until(lambda: box.at_once == 4)
    alert(world, "one@well.example")
    assert await loop.step()
    await until(lambda: box.at_once == 5)
    assert [notice.state for notice in world.outbox_rows(destination="well.example")] == ["sending"]


async def test_behind_a_backlog_of_one_destination_every_other_one_is_found(world, run):
    for number in range(30):
        alert(world, "one@hangs.example", number)
    for name in ("b", "c", "a"):
        alert(world, f"one@{name}.example")
    loop, box, _ = run(most=3, each=2, started=False)
    box.gate.clear()
    assert await loop.step()
    await until(lambda: box.at_once == 5)
    under_way = Counter(notice.destination for notice in world.outbox_rows(state="sending"))
    assert under_way == {"a.example": 1, "b.example": 1, "c.example": 1, "hangs.example": 2}
    assert not await loop.step()


async def test_where_nobody_was_called_there_was_no_attempt_and_the_time_ends_all_the_same(world, run):
    settled(world)
    loop, box, clock = run(EACH_MINUTE)
    box.answer = lambda _: MailAttempt(outcome=Retry(problem=DEFERRED, after=timedelta(seconds=40)), called=False)
    for tries in range(1, 4):
        await until(partial(lambda now: len(box.told) == now and notices(world)[0][0] == "queued", tries))
        clock.move(timedelta(seconds=40))
        loop.kick()
    await until(lambda: notices(world) == [("queued", 0, "mail-deferred")])
    assert world.outbox_attempts() == []
    clock.move(timedelta(minutes=10))
    loop.kick()
    await until(lambda: notices(world)[0][0] == "failed")


async def test_what_this_process_took_and_no_task_holds_is_sent_and_what_one_holds_is_left_alone(world, run):
    settled(world, 2)
    world.notices(1)  # in the name of this process, and nobody holds it
    loop, box, _ = run(started=False)
    box.gate.clear()
    assert await loop.step()
    with capture_logs() as logs:
        await loop.give_back()
        await loop.give_back()
    assert [entry["notices"] for entry in logs if entry["event"] == "notices_given_back"] == [1]
    box.gate.set()
    loop.start()
    await until(lambda: [state for state, *_ in notices(world)] == ["sent"] * 2)
    assert len(box.told) == 2
    assert [attempts for _, attempts, _ in notices(world)] == [1, 1]


async def test_the_word_of_one_who_took_it_before_is_no_word_on_what_was_taken_since(world):
    settled(world)
    (first,) = world.notices()
    world.execute("UPDATE outbox SET state = 'queued', owner = '', attempts = 0")  # given back
    world.owner = "another"
    (second,) = world.notices()
    assert (first.attempt, second.attempt) == (1, 1)
    world.end_notice(first, OutboxEvent.FAIL)
    assert notices(world) == [("sending", 1, "")]
    world.end_notice(second)
    assert notices(world) == [("sent", 1, "")]


async def test_the_end_of_a_notice_is_recorded_when_the_disk_has_room_again(world, run, monkeypatch):
    monkeypatch.setattr("gateway.outbox._RECORD_AGAIN", Ladder.of_seconds(0.01))
    settled(world)
    loop, box, _ = run(started=False)

    def pages(most: int) -> None:
        world.execute(f"PRAGMA max_page_count = {most}")

    def answer(_):
        pages(1)  # no more than it has
        return MailAttempt(outcome=Done(), reply="x" * 50_000)

    box.answer = answer
    with capture_logs() as logs:
        assert await loop.step()
        await until(lambda: sum(entry["event"] == "notice_not_recorded" for entry in logs) > 6)
        pages(1 << 20)
        await loop.stop(60)
    assert notices(world) == [("sent", 1, "")]
    assert len(box.told) == 1


def test_a_topic_is_told_once_and_then_quiet_while_others_are_told(world):
    hour = 3_600_000_000

    def told(topic: str, now: int) -> bool:
        about = {"subject": "", "text": ""}
        row = NewRow(kind="alert", prefix="A", recipient="x@y.example", now=now, about=about, topic=topic, quiet=hour)
        return world.database.write_now(world.outbox.add, row) is not None

    now = world.now
    assert [told("a", now), told("a", now + hour - 1), told("b", now + 1), told("a", now + hour)] == [1, 0, 1, 1]


def test_the_table_of_states_names_every_state_and_has_one_outcome_for_each_event():
    assert set(OUTBOX_TRANSITIONS) == set(OutboxState)
    for event in OutboxEvent:
        assert len({OUTBOX_TRANSITIONS[state][event] for state in states_before(event)}) == 1
    assert {OutboxState.QUEUED, OutboxState.SENDING, OutboxState.HELD} == WAITING


@pytest.mark.parametrize(
    ("channel", "recipient", "destination"),
    [
        (Channel.MAIL, "Anna@Example.COM", "example.com"),
        (Channel.MAIL, '"a@b"@example.com', "example.com"),
        (Channel.PUSH, "https://App.example.com:8443/sms?x=@y", "app.example.com"),
        (Channel.PUSH, "https://[2001:db8::1]/", "2001:db8::1"),
    ],
)
def test_a_destination_is_a_mails_domain_or_a_pushs_host(channel, recipient, destination):
    assert destination_of(channel, recipient) == destination
