"""Erasing a number or a user: nothing names them afterwards, what counts still counts, and nothing under way is lost."""

from datetime import timedelta
from functools import partial

import pytest

from gateway.admin.audit import list_audit
from gateway.admin.erase import Erasing
from gateway.admin.faults import AdminFault, FaultCode
from inbound.actions import ActionKind, AnswerAction, MailAction
from inbound.stop_list import StopEntry, StopOrigin
from sms.message import MailOrigin, ReceiptState
from sms.outcome import Done
from tests.kit.inbound_harness import PHONE, piece
from tests.kit.reports_harness import ReportsHarness

NUMBER, OTHER = PHONE[1:], "447700900102"
ANNA = "anna@example.com"
HELD_BY_THE_ADDRESS_BOOK = {"mail_user", "stop_entry", "list_member", "audit"}


@pytest.fixture(name="world")
def _world(database_url):
    world = ReportsHarness(database_url)
    world.furnish()
    yield world
    world.database.close()


@pytest.fixture(name="erasing")
def _erasing(world):
    return Erasing(world.database, world.admin, world.clock.now)


def tell_all(world):
    while due := world.notices():
        for row in due:
            world.end_notice(row)


def tables_with(world, word: str) -> set[str]:
    """Return the tables in which any text has a word."""
    if world.database.postgresql:
        columns = world.rows(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        )
    else:
        columns = world.rows(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        )
    return {
        table
        for table, column in columns
        if any(_says(value, word) for (value,) in world.rows(f"SELECT {column} FROM {table}"))
    }


def _says(value, word):
    text = bytes(value).decode("utf-8", "replace") if isinstance(value, (bytes, memoryview)) else str(value)
    return word in text


async def furnish(world):
    """Have the number be written to and write, on a stop list, with texts that name it everywhere."""
    world.add_action(world.customer, MailAction(addresses=("office@example.com",)), ActionKind.MAIL)
    world.add_action(world.customer, AnswerAction(texts={"/": "Thanks"}), ActionKind.REPLY)
    header = f"To: {NUMBER}@sms.example.net\r\nSubject: Secret\r\n".encode()
    mail = MailOrigin(reverse_path=ANNA, header_from=ANNA, subject="Secret", header=header, body=b"Secret")
    world.deliver(NUMBER, OTHER, mail=mail)
    await world.arrive(piece("Secret answer"))
    await world.handle()
    for part in world.take():  # the automatic answer
        world.settle((part.part_key, Done(reference=str(part.part_key))))
    world.stop(
        StopEntry(customer_key=world.customer, number=NUMBER, origin=StopOrigin.ADMIN, added_at=world.clock.now())
    )
    await world.sum_all()
    tell_all(world)


async def test_no_table_but_stop_lists_names_a_number_that_was_erased(world, erasing):
    await furnish(world)
    sums = world.sums("direction", "country", "state")
    receipt = erasing.erase_number(f"+{NUMBER}")
    assert tables_with(world, NUMBER) == {"stop_entry"}
    assert (receipt.inbound, receipt.conversations, receipt.kept.stop_entries) == (1, 1, 1)
    assert receipt.messages == 2
    assert world.sums("direction", "country", "state") == sums
    assert sum(row.number == OTHER for row in world.messages()) == 1
    assert world.inbound_sms()[0].body == ""
    await world.sum_all()
    assert world.sums("direction", "country", "state") == sums


async def test_a_receipt_and_the_audit_name_neither_number_nor_address(world, erasing):
    await furnish(world)
    for receipt in (erasing.erase_number(f"+{NUMBER}"), erasing.erase_user(ANNA)):
        assert NUMBER not in repr(receipt)
        assert ANNA not in repr(receipt)
        lines = world.database.read_now(partial(list_audit, about=receipt.id))
        assert [line["action"] for line in lines] == ["erase"]
        assert NUMBER not in repr(lines)


async def test_nothing_names_a_user_that_was_erased_and_its_sums_count_for_nobody(world, erasing):
    await furnish(world)
    before = world.sums("direction", "state")
    receipt = erasing.erase_user("Anna@Example.com")
    assert tables_with(world, ANNA) - HELD_BY_THE_ADDRESS_BOOK == set()
    assert tables_with(world, "Secret") == {"inbound_sms"}
    assert world.sums("direction", "state") == before
    assert receipt.jobs >= 1
    assert receipt.sums >= 1
    assert (
        world.sums("user_address", direction="sent")[("", "messages")] == before[("sent", "delivered", "messages")] + 1
    )


async def test_what_is_not_over_is_refused_and_stays_as_it_is(world, erasing):
    job = world.add(NUMBER)
    for erase in (partial(erasing.erase_number, f"+{NUMBER}"), partial(erasing.erase_user, ANNA)):
        with pytest.raises(AdminFault) as raised:
            erase()
        assert raised.value.code is FaultCode.NOT_OVER
        assert raised.value.facts["messages"] == 1
    assert world.messages(job.public_id)[0].number == NUMBER


async def test_a_sender_who_was_not_told_yet_is_told_before_anything_is_erased(world, erasing):
    world.deliver(NUMBER)
    with pytest.raises(AdminFault) as raised:
        erasing.erase_number(f"+{NUMBER}")
    assert raised.value.facts == {"what": "number", "cancelled": False, "messages": 0, "untold": 1, "fragments": 0}
    tell_all(world)
    assert erasing.erase_number(f"+{NUMBER}").messages == 1


async def test_with_cancel_what_waits_ends_and_is_erased_and_its_sender_is_still_told(world, erasing):
    job = world.add(NUMBER)
    receipt = erasing.erase_number(f"+{NUMBER}", cancel=True)
    assert receipt.messages == 1
    (message,) = world.report(job.public_id).messages
    assert (message.state.value, message.number, message.text) == ("cancelled", "", "")
    assert [row.kind for row in world.notices()] == ["result"]


async def test_with_cancel_what_a_carrier_has_is_asked_for_and_erased_when_it_has_ended(world, erasing):
    world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="1")))
    with pytest.raises(AdminFault) as raised:
        erasing.erase_number(f"+{NUMBER}", cancel=True)
    assert raised.value.facts["messages"] == 1
    assert len(world.cancel_requests()) == 1
    world.receipt("1", ReceiptState.DELIVERED)
    tell_all(world)
    assert erasing.erase_number(f"+{NUMBER}").messages == 1


async def test_an_sms_whose_parts_are_not_all_there_is_not_erased(world, erasing):
    await world.arrive(piece("half", 1, 2))
    with pytest.raises(AdminFault) as raised:
        erasing.erase_number(f"+{NUMBER}", cancel=True)
    assert raised.value.facts["fragments"] == 1
    await world.handle(timedelta(hours=1))
    tell_all(world)
    assert erasing.erase_number(f"+{NUMBER}").inbound == 1


async def test_what_was_erased_can_be_asked_for_again_and_a_late_receipt_is_still_counted(world, erasing):
    carrier_id = world.deliver_late(NUMBER)
    await world.sum_all()
    tell_all(world)
    erasing.erase_number(f"+{NUMBER}")
    world.receipt(carrier_id, ReceiptState.DELIVERED, number="")
    await world.sum_all()
    assert world.sums("state", "country") == {("delivered", "GB", each): 1 for each in ("messages", "parts", "billed")}
    assert erasing.erase_number(f"+{NUMBER}").messages == 0
