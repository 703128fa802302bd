"""The worker of inbound SMS: everything of one SMS in one transaction, once, whatever fails, on one node or two."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.admin.domains import add_domain
from gateway.clock_watch import ClockWatch
from gateway.routing import CarrierRoute, CarrierRoutes
from inbound.actions import ActionKind, AnswerAction, ListAction, MailAction, MailTo, PushAction
from inbound.joining import GAP, Bounds
from sms.outcome import Done
from store.inbound_tables import AutomaticAnswerRow, ConversationRow, StopEntryRow
from tests.kit.inbound_harness import OWN, PHONE, InboundHarness, piece, pieces

TEN_MINUTES = timedelta(minutes=10)
SUPPORT = MailAction(to=MailTo.STATIC, addresses=("support@example.com",))


@pytest.fixture
def world(database_url):
    world = InboundHarness(database_url)
    world.furnish()
    yield world
    world.database.close()


def effects(world: InboundHarness) -> list[tuple[str, str, str]]:
    return [(effect.kind, effect.target, effect.note) for effect in world.inbound_effects()]


async def test_an_sms_becomes_a_mail_of_a_conversation_and_its_fragments_go(world):
    action = world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    first, second, third = pieces("The pump ", "runs ", "again.")
    await world.arrive(third)
    await world.arrive(first)
    await world.handle()
    assert world.inbound_sms() == []
    await world.arrive(replace(second, carrier="beta"))
    await world.handle()
    (sms,) = world.inbound_sms()
    assert (sms.body, sms.phone, sms.customer, sms.total) == ("The pump runs again.", PHONE[1:], "Example Ltd", 3)
    assert world.inbound_fragments() == []
    (row,) = world.outbox_rows()
    (conversation,) = world.stored(ConversationRow)
    assert (row.kind, row.recipient, row.sms_key, row.customer_key) == (
        "inbound-mail",
        "support@example.com",
        sms.key,
        world.customer,
    )
    assert json.loads(row.about) == {
        "user": "",
        "profile": 0,
        "action": action,
        "fallback": False,
        "thread": conversation.key,
        "previous": "",
    }
    assert (sms.conversation_key, conversation.last_mail_id) == (conversation.key, f"in.{row.public_id}")
    assert world.kicks[-1] == "outbox"


async def test_a_mail_of_a_conversation_names_the_one_before(world):
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    for text in ("One", "Two"):
        await world.arrive(piece(text))
        await world.handle()
    first, second = world.outbox_rows()
    assert json.loads(second.about)["previous"] == f"in.{first.public_id}"
    assert len(world.stored(ConversationRow)) == 1


async def test_what_many_handsets_sent_is_stored_together_and_of_one_handset_one_after_the_other(world):
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    await world.arrive(*(piece(str(n), source=f"+4477009001{n % 10:02}") for n in range(40)))
    before = world.database.commits
    await world.handle()
    assert sorted(world.texts()) == sorted(map(str, range(40)))
    assert world.database.commits - before < 10
    for n in range(10):
        assert [sms.body for sms in world.inbound_sms(phone=f"4477009001{n:02}")] == [str(k) for k in range(n, 40, 10)]


async def test_after_the_window_of_its_number_a_text_goes_out_with_its_gap_and_what_comes_late_follows_it(world):
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    world.execute("UPDATE own_number SET join_seconds = 60")
    await world.book.load()
    first, second, third = pieces("one", "two", "three")
    await world.arrive(first, third)
    await world.handle(timedelta(seconds=59))
    assert world.texts() == []
    await world.handle(timedelta(seconds=1))
    assert world.texts() == [f"one {GAP} three"]
    await world.arrive(second)
    await world.handle(timedelta(hours=23))
    whole, late = world.inbound_sms()
    assert (late.body, late.late_of, late.conversation_key) == ("two", whole.key, whole.conversation_key)
    assert (whole.missing, whole.awaited) == ("2", "")
    assert [row.kind for row in world.outbox_rows()] == ["inbound-mail", "inbound-mail"]


async def test_what_a_carrier_delivers_again_of_a_text_that_went_out_is_dropped(world):
    whole = pieces("one", "two", "three")
    await world.arrive(*whole)
    await world.handle()
    await world.arrive(whole[1])
    await world.handle(TEN_MINUTES)
    assert world.texts() == ["onetwothree"]
    assert world.inbound_fragments() == []


async def test_a_fragment_of_another_text_with_the_same_reference_is_no_repeat(world):
    await world.arrive(*pieces("one", "two"))
    await world.handle()
    await world.arrive(piece("2nd", 2, 2))
    await world.handle(TEN_MINUTES)
    assert world.texts() == ["onetwo", f"{GAP} 2nd"]


async def test_fragments_that_wait_are_bounded_and_the_oldest_go_out(database_url):
    world = InboundHarness(database_url, bounds=Bounds(of_phone=100, in_all=5))
    await world.arrive(*(piece(str(n), 1, 2, source=f"+4477009001{n:02}") for n in range(8)))
    await world.handle()
    assert world.texts() == [f"{n} {GAP}" for n in range(3)]
    assert len(world.inbound_fragments()) == 5
    world.database.close()


async def test_more_fragments_than_are_read_at_once_are_all_handled(database_url):
    world = InboundHarness(database_url, bounds=Bounds(in_all=1))
    await world.arrive(*(piece(str(n), source=f"+44770090{n:04}") for n in range(1200)))
    await world.handle()
    assert len(world.texts()) == 1200
    world.database.close()


async def test_a_stop_is_an_entry_confirmed_once_past_itself_and_start_ends_it(world):
    for text in ("STOP", "STOP", "START"):
        await world.arrive(piece(text))
        await world.handle()
    assert effects(world) == [
        ("stop-entry", "", "stop"),
        ("stop", "", "en"),
        ("stop", "", "already-stopped"),
        ("stop-ended", "", "start"),
        ("start", "", "en"),
    ]
    (entry,) = world.stored(StopEntryRow)
    stop, _, start = world.inbound_sms()
    assert (entry.number, entry.evidence, entry.ended_by) == (PHONE[1:], stop.public_id, start.public_id)
    assert [job.past_stop for job in world.jobs()] == [True, True]
    assert world.kicks[-1] == "dispatch"


async def test_an_answer_is_a_job_of_the_customer_from_the_number_that_was_written_to(world):
    world.add_action(world.customer, AnswerAction(texts={"/": "We call you."}), ActionKind.REPLY)
    await world.arrive(piece("Call me please"))
    await world.handle()
    (job,), (message,), (effect,) = world.jobs(), world.messages(), world.inbound_effects()
    assert (job.service, job.customer_key, job.reverse_path) == ("inbound", world.customer, "")
    assert (message.number, message.body, message.sender) == (PHONE[1:], "We call you.", OWN)
    assert effect.job_id == job.public_id
    assert world.outbox_rows() == []


async def test_two_robots_get_no_more_than_five_answers_in_ten_minutes_and_twenty_a_day(world):
    world.add_action(world.customer, AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY)
    for _ in range(7):
        await world.arrive(piece("Thanks"))
    await world.handle()
    assert len(world.jobs()) == 5
    assert effects(world)[-1] == ("reply", "", "too-many-answers")
    for _ in range(9):
        for _ in range(3):
            await world.arrive(piece("Thanks"))
        await world.handle(TEN_MINUTES)
    assert len(world.jobs()) == 20
    await world.arrive(piece("Thanks"))
    await world.handle(timedelta(days=1))
    assert len(world.jobs()) == 21
    assert len(world.stored(AutomaticAnswerRow)) == 1


async def test_an_answer_that_cannot_be_sent_says_why(world):
    world.add_action(world.customer, AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY)
    await world.arrive(piece("Hello", source="BANK"))
    await world.handle()
    ((kind, _, note),) = effects(world)
    assert kind == "reply"
    assert note.startswith("number-malformed: The number contains")


async def test_pushes_and_list_lines_are_effects_too(world):
    push = world.add_action(world.customer, PushAction(url="https://app.example.com/in"), ActionKind.PUSH)
    world.add_action(world.customer, ListAction(addresses=("a@example.com",)), ActionKind.LIST, name="daily")
    await world.arrive(piece("Hello"))
    await world.handle()
    (row,) = world.outbox_rows()
    assert (row.kind, row.channel, row.sequence) == ("inbound-push", "push", f"{push}/{PHONE[1:]}")
    assert effects(world) == [("push", "https://app.example.com/in", ""), ("list", "daily", "")]


async def test_who_texted_the_handset_lately_gets_its_answer_from_the_instant_at_which_a_carrier_took_it(world):
    world.admin.change_now(lambda edit: add_domain(edit, "Example Ltd", "example.com"))
    world.add_action(world.customer, MailAction(to=MailTo.NEWEST, addresses=("fallback@example.com",)), ActionKind.MAIL)

    async def says(text: str, later: timedelta = timedelta(0)) -> str:
        world.clock.move(later)
        await world.arrive(piece(text))
        await world.handle()
        return str(world.outbox_rows(kind="inbound-mail")[-1].recipient)

    assert await says("Before") == "fallback@example.com"
    world.add(PHONE[1:], customer_key=world.customer, directory_version=world.book.current.version)
    assert await says("While it waits") == "fallback@example.com"
    world.settle(*((part.part_key, Done(reference="1")) for part in world.take()))
    assert await says("Thanks", timedelta(days=6.9)) == "anna@example.com"
    assert await says("Much later", timedelta(days=0.2)) == "fallback@example.com"


async def test_an_sms_that_is_nobodys_is_kept_and_the_operator_is_told_once(world):
    await world.arrive(piece("Hi", destination="+447700900555"), piece("Ho", destination="+447700900555"))
    await world.handle()
    assert [sms.reason for sms in world.inbound_sms()] == ["no-number", "no-number"]
    (alert,) = world.outbox_rows()
    assert (alert.kind, alert.recipient) == ("alert", "admin@example.net")


async def test_a_change_of_the_address_book_that_comes_between_is_followed(world):
    await world.book.load()
    await world.arrive(piece("Hello"))
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    await world.worker.step()
    assert effects(world) == [("mail", "support@example.com", "")]


class BrokenRoutes(CarrierRoutes):
    """Routes that fail for some numbers while they are `broken`."""

    broken = frozenset({PHONE[1:]})

    def explain(self, number, customer="", among=()):
        if number.digits in self.broken:
            raise ZeroDivisionError
        return super().explain(number, customer, among)


@pytest.mark.slow
async def test_an_sms_that_cannot_be_decided_holds_up_no_other_and_is_tried_again(database_url):
    routes = BrokenRoutes([CarrierRoute(carrier="alpha")])
    world = InboundHarness(database_url, routes=routes)
    world.furnish()
    world.add_action(world.customer, AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY)
    await world.arrive(piece("Poison"), piece("Fine", source="+447700900124"))
    await world.handle()
    await world.handle()
    assert (world.texts(), world.told) == (["Fine"], [])
    for _ in range(3):
        await world.handle(timedelta(hours=1))
    (alert,) = world.told
    assert "ZeroDivisionError" in alert.text
    routes.broken = frozenset()
    await world.handle(timedelta(hours=1))
    assert world.texts() == ["Fine", "Poison"]
    world.database.close()


async def test_a_text_is_stored_once_however_often_it_is_handled_at_once(world):
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    await world.arrive(*(piece(str(n), source=f"+4477009001{n:02}") for n in range(20)))
    await world.book.load()
    await asyncio.gather(*(world.worker.step() for _ in range(4)))
    assert len(world.texts()) == len(world.outbox_rows()) == 20


async def test_what_another_node_took_is_left_alone_at_first_and_handled_if_that_node_is_gone(world, database_url):
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    other = InboundHarness(database_url, node=2, database=world.database, alone=False)
    await world.arrive(*pieces("one ", "two"))
    await other.handle(timedelta(seconds=4))
    assert other.texts() == []
    await other.handle(timedelta(seconds=1))
    assert other.texts() == ["one two"]


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
async def test_fragments_that_came_to_two_nodes_are_one_sms_at_once(world, database_url, places):
    other = InboundHarness(database_url, node=2, database=world.database, alone=False)
    other.clock.move(timedelta(milliseconds=1))
    both = pieces("one ", "two")
    await world.arrive(both[places[0]])
    await world.handle()
    await other.arrive(both[places[1]])
    await other.handle()
    assert world.texts() == ["one two"]


async def test_two_nodes_that_handle_the_same_at_once_store_it_once(world, database_url):
    world.add_action(world.customer, SUPPORT, ActionKind.MAIL)
    world.add_action(world.customer, AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY)
    other = InboundHarness(database_url, node=2, database=None if world.database.postgresql else world.database)
    await world.arrive(*(piece(str(n), source=f"+4477009001{n:02}") for n in range(50)))
    await world.book.load()
    await other.book.load()
    await asyncio.gather(world.worker.step(), other.worker.step())
    assert len(world.texts()) == len(world.outbox_rows()) == len(world.jobs()) == 50
    if other.database is not world.database:
        other.database.close()


@pytest.mark.parametrize("jump", [timedelta(days=-2), timedelta(days=2)])
async def test_a_clock_that_jumps_loses_no_fragment_and_lets_none_wait_longer(world, jump):
    watch = ClockWatch(database=world.database, clock=world.clock)
    await watch.step()
    first, second = pieces("one ", "two")
    await world.arrive(first)
    await world.handle()
    world.clock.move(jump)
    await watch.step()
    await world.handle(TEN_MINUTES)
    assert world.texts() == [f"one {GAP}"]
    await world.arrive(second)
    await world.handle()
    assert world.texts() == [f"one {GAP}", "two"]
