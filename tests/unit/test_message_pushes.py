"""Pushes of single messages, on both databases: which states write one, with the state and once, in order, as it was."""

import sqlite3
from datetime import timedelta

import psycopg
import pytest

from gateway.outbox import ChannelRules, OutboxLoop
from sms.job import NewMessage
from sms.lifecycle import MessageState
from sms.message import MailOrigin, ReceiptState
from sms.outbox import OutboxEvent
from sms.outcome import Done, Failed, Unknown
from sms.report import Channel
from sms.retry import Ladder
from sms.route import Failover
from sms.settings import PUSH_STATES, StatusChannel, StatusReport, parse_setting
from store.answers import Rules
from templates.push_fields import status_fields
from tests.kit.clock import Clock
from tests.kit.fakes import FakeMailbox, until
from tests.kit.store_harness import LOST, WRONG, StoreHarness

NUMBER = "447700900123"
URL = "https://app.example.com/sms"


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules(failover={"alpha": Failover.UNDELIVERED}))
    yield world
    world.database.close()


def job(world, states="all", *numbers, **changes):
    wanted = parse_setting("push_states", states) if states else ()
    facts = {"channel": StatusChannel.PUSH, "push_url": URL, "receipt_wanted": True, "push_states": wanted}
    return world.add(*(numbers or (NUMBER,)), **{**facts, **changes})


def carry(world, *news: ReceiptState, carrier="alpha", route="alpha") -> None:
    """Let a carrier take everything, and report each of these of everything."""
    taken = world.take(carrier=carrier, route=route)
    world.settle(*((part.part_key, Done(reference=f"r{part.part_key}")) for part in taken), carrier=carrier)
    for state in news:
        for part in taken:
            world.receipt(f"r{part.part_key}", state, carrier=carrier)


async def told(world):
    """Send what waits, once each; return the fields of the pushes in the order in which they went out."""
    box = FakeMailbox()
    ladder = Ladder(waits=[timedelta(minutes=1)], expire_after=timedelta(hours=1))
    rules = ChannelRules(sender=box, ladder=ladder)
    clock = Clock()
    loop = OutboxLoop(
        database=world.database,
        outbox=world.outbox,
        channels={Channel.PUSH: rules},
        clock=clock,
        owner="me",
        chance=lambda: 0.0,
    )
    loop.start()
    await until(lambda: all(row.ended_at for row in world.outbox_rows(channel="push")))
    await loop.stop(5)
    return [status_fields(item) for item in box.told]


def rows(world):
    return [(row.kind, row.channel) for row in world.outbox_rows()]


@pytest.mark.parametrize(
    ("states", "news", "expected"),
    [
        ("all", ReceiptState.DELIVERED, ["submitted", "delivered"]),
        ("sent", ReceiptState.DELIVERED, ["submitted"]),
        ("delivered", ReceiptState.DELIVERED, ["delivered"]),
        ("undelivered", ReceiptState.DELIVERED, []),
        ("delivered", ReceiptState.UNDELIVERABLE, []),
        ("undelivered,expired", ReceiptState.UNDELIVERABLE, ["undelivered"]),
        ("undelivered,expired", ReceiptState.EXPIRED, ["expired"]),
        ("rejected", ReceiptState.REJECTED, ["rejected"]),
        ("unknown", ReceiptState.UNKNOWN, ["unknown"]),
    ],
)
async def test_a_message_is_pushed_at_exactly_the_states_that_were_asked_for(world, states, news, expected):
    job(world, states)
    carry(world, news)
    pushes = await told(world)
    assert [(push["event"], push["recipients"][0]["state"]) for push in pushes] == [("message", s) for s in expected]


async def test_a_message_that_the_carrier_refuses_and_one_that_is_cancelled_are_pushed_too(world):
    job(world, "failed")
    (part,) = world.take()
    world.settle((part.part_key, Failed(problem=WRONG)))
    second = job(world, "cancelled")
    world.cancel(second.public_id)
    pushes = await told(world)
    statuses = [(push["recipients"][0]["processStatus"], push["recipients"][0]["status"]) for push in pushes]
    assert statuses == [("DONE", "INVALID_DST"), ("CANCELED", "")]


async def test_a_recipient_who_is_refused_at_once_is_pushed_with_the_reason_and_the_others_are_not(world):
    refused = NewMessage(given="nobody@x", number=None, encoded=None, reason="number-invalid", problem="No number.")
    good = world.new_job(NUMBER).messages
    job(world, "rejected", messages=(*good, refused))
    (push,) = await told(world)
    (recipient,) = push["recipients"]
    assert (recipient["dst"], recipient["reason"], recipient["reasonCode"]) == (
        "nobody@x",
        "No number.",
        "number-invalid",
    )
    assert (recipient["processStatus"], recipient["status"]) == ("DONE", "INVALID_DST")


def test_without_states_there_is_one_push_for_the_whole_job_as_ever(world):
    job(world, "", NUMBER, "447700900124")
    carry(world, ReceiptState.DELIVERED)
    assert rows(world) == [("result", "push")]


def test_with_states_the_job_is_not_pushed_besides_and_its_mail_still_goes(world):
    job(world, "delivered", channel=StatusChannel.BOTH, mail=MailOrigin(reverse_path="anna@example.com"))
    carry(world, ReceiptState.DELIVERED)
    assert sorted(rows(world)) == [("message", "push"), ("result", "mail")]


def test_states_count_whatever_the_report_on_the_job_is(world):
    job(world, "delivered", report=StatusReport.NEVER)
    carry(world, ReceiptState.DELIVERED)
    assert rows(world) == [("message", "push")]


async def test_a_network_that_corrects_itself_is_pushed_again_as_a_new_event(world):
    job(world)
    carry(world, ReceiptState.UNDELIVERABLE, ReceiptState.DELIVERED)
    pushes = await told(world)
    assert [push["recipients"][0]["state"] for push in pushes] == ["submitted", "undelivered", "delivered"]
    assert len({push["noticeId"] for push in pushes}) == 3
    assert rows(world) == [("message", "push")] * 3


async def test_news_that_change_nothing_are_no_event(world):
    job(world)
    carry(world, ReceiptState.DELIVERED, ReceiptState.DELIVERED, ReceiptState.ENROUTE, ReceiptState.REJECTED)
    assert [push["recipients"][0]["state"] for push in await told(world)] == ["submitted", "delivered"]


async def test_a_push_tells_of_the_state_of_its_event_whatever_came_later_and_of_nobody_else(world):
    job(world, "all", NUMBER, "447700900124")
    carry(world, ReceiptState.UNDELIVERABLE)
    pushes = await told(world)
    assert all(len(push["recipients"]) == 1 for push in pushes)
    first = [push["recipients"][0] for push in pushes if push["recipients"][0]["dst"] == f"+{NUMBER}"]
    assert [(one["processStatus"], one["status"], one["reasonCode"]) for one in first] == [
        ("RUNNING", "", None),
        ("DONE", "FAILED_FIN", "not-delivered"),
    ]
    assert all(push["finishedTs"] is None for push in pushes)


async def test_sent_is_the_end_where_no_receipt_is_awaited(world):
    job(world, "sent", receipt_wanted=False)
    carry(world)
    (push,) = await told(world)
    assert (push["recipients"][0]["processStatus"], push["recipients"][0]["status"]) == ("DONE", "SUC_ACC")


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ((ReceiptState.DELIVERED, ReceiptState.DELIVERED), ["submitted", "delivered"]),
        ((ReceiptState.UNDELIVERABLE, ReceiptState.DELIVERED), ["submitted", "undelivered"]),
        ((ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE), ["submitted", "undelivered"]),
    ],
)
async def test_a_text_of_several_parts_is_pushed_once_for_each_of_its_states(world, news, expected):
    job(world, parts=2)
    for part in world.take():
        world.settle((part.part_key, Done(reference=f"r{part.index}")))
    for index, state in enumerate(news, 1):
        world.receipt(f"r{index}", state)
    assert [push["recipients"][0]["state"] for push in await told(world)] == expected


async def test_what_another_carrier_takes_over_is_sent_twice_and_not_undelivered(world):
    job(world)
    world.execute("UPDATE message SET route = 'alpha>beta'")
    carry(world, ReceiptState.UNDELIVERABLE, route="alpha>beta")
    carry(world, ReceiptState.DELIVERED, carrier="beta", route="beta")
    assert [push["recipients"][0]["state"] for push in await told(world)] == ["submitted", "submitted", "delivered"]


async def test_states_that_came_in_one_batch_are_all_pushed(world):
    job(world)
    (part,) = world.take()
    world.receipt("early", ReceiptState.DELIVERED, NUMBER)  # before the answer
    world.settle((part.part_key, Done(reference="early")))
    assert [push["recipients"][0]["state"] for push in await told(world)] == ["submitted", "delivered"]


def test_pushes_of_one_message_wait_for_one_another_and_those_of_others_do_not(world):
    job(world, "all", NUMBER, "447700900124")
    carry(world, ReceiptState.DELIVERED)
    taken = world.notices(channel=Channel.PUSH)
    assert [MessageState(row.about.partition('"state": "')[2].partition('"')[0]) for row in taken] == ["submitted"] * 2
    assert world.notices(channel=Channel.PUSH) == []
    world.end_notice(taken[0])
    (after,) = world.notices(channel=Channel.PUSH)
    assert (after.sequence, '"delivered"' in after.about) == (taken[0].sequence, True)


def test_a_state_and_its_push_are_written_together_or_not_at_all(world):
    accepted = job(world, "all")
    (part,) = world.take()
    world.execute("ALTER TABLE outbox RENAME TO elsewhere")
    with pytest.raises((sqlite3.OperationalError, psycopg.Error)):
        world.settle((part.part_key, Done(reference="r1")))
    world.execute("ALTER TABLE elsewhere RENAME TO outbox")
    assert world.report(accepted.public_id).messages[0].state is MessageState.SUBMITTING
    assert rows(world) == []
    world.settle((part.part_key, Done(reference="r1")))
    world.settle((part.part_key, Done(reference="r1")))  # the answer is said again
    assert rows(world) == [("message", "push")]


def test_a_repeated_attempt_has_the_same_id_and_the_lost_answer_of_a_carrier_is_unknown(world):
    job(world, "unknown")
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    (first,) = world.notices(channel=Channel.PUSH)
    world.end_notice(first, OutboxEvent.DEFER, due_at=world.now)
    (again,) = world.notices(channel=Channel.PUSH)
    assert (again.public_id, again.attempt, again.about) == (first.public_id, 2, first.about)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", PUSH_STATES),
        ("Sent", (MessageState.SUBMITTED,)),
        ("delivered, sent,delivered", (MessageState.SUBMITTED, MessageState.DELIVERED)),
    ],
)
def test_states_are_read_by_their_words(text, expected):
    assert parse_setting("push_states", text) == expected


@pytest.mark.parametrize("text", ["queued", "sent;delivered", "done", ","])
def test_words_that_are_no_state_are_refused_with_those_that_are(text):
    problem = str(parse_setting("push_states", text))
    assert "all, or words separated by commas, of sent, submitted, delivered, undelivered" in problem
