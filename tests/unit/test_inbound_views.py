"""What is told of an inbound SMS, and what was exchanged before in its conversation."""

from functools import partial
from typing import Any

import pytest

from inbound.report import TurnDirection
from sms.number import SenderId, SenderKind
from sms.outcome import Done
from store.answers import Rules
from store.engine.statements import Insert
from store.inbound_tables import ConversationRow, InboundSmsRow
from store.inbound_views import load_inbound_reports
from tests.kit.store_harness import SECOND, StoreHarness

PHONE, OWN = "447700900123", "447700900999"
FROM_OWN = SenderId(value=OWN, kind=SenderKind.NUMERIC)
_SMS = Insert(InboundSmsRow)
_CONVERSATIONS = Insert(ConversationRow)


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    facts = {"customer_key": 1, "phone": PHONE, "own_number": OWN, "used_at": world.now}
    insert(world, _CONVERSATIONS, key=7, **facts)
    yield world
    world.database.close()


def insert(world: StoreHarness, statement: Insert, **columns: Any) -> None:
    def write(tx, rows):
        tx.insert(statement, rows)
        return [None] * len(rows)

    world.database.write_now(write, statement.row(**columns))


def came(world: StoreHarness, text: str, **changes: Any) -> int:
    """Store an inbound SMS as it is after routing; returns its key."""
    key = world.keys.take()
    facts = {
        "key": key,
        "public_id": f"I.{key}",
        "carrier": "alpha",
        "source": f"+{PHONE}",
        "destination": f"+{OWN}",
        "phone": PHONE,
        "body": f"SHOP {text}",
        "shown": text,
        "customer_key": 1,
        "customer": "Example Ltd",
        "received_at": world.now,
        "handled_at": world.now,
        "conversation_key": 7,
    }
    insert(world, _SMS, **facts | changes)
    world.now += SECOND
    return key


def went(world: StoreHarness, **changes: Any) -> None:
    """Send an SMS to the handset that a carrier takes."""
    world.add(PHONE, **{"sender": FROM_OWN, **changes})
    for part in world.take():
        world.settle((part.part_key, Done(reference=f"id{part.part_key}")))
    world.now += SECOND


def report_of(world: StoreHarness, key: int):
    return world.database.read_now(partial(load_inbound_reports, sms_keys=[key]))[key]


def test_a_report_has_the_text_without_the_prefix_and_who_wrote_to_whom(world):
    key = came(world, "Yes please", keyword="yes", total=3, missing="2")
    report = report_of(world, key)
    assert (report.text, report.phone, report.own_number) == ("Yes please", PHONE, OWN)
    assert (report.customer, report.keyword, report.total, report.missing) == ("Example Ltd", "yes", 3, (2,))
    assert not report.is_late


def test_a_report_shows_what_was_exchanged_before_newest_first_and_nothing_of_another_conversation(world):
    went(world, sender=SenderId(value="447700900998", kind=SenderKind.NUMERIC))
    went(world, customer_key=2)
    world.add(PHONE, sender=FROM_OWN, user_address="bob@example.com")
    world.cancel(world.messages()[-1].public_id)
    went(world)
    came(world, "One")
    came(world, "Of another", conversation_key=8)
    went(world, user_address="", mail=None)
    key = came(world, "Two")
    came(world, "After it")
    earlier = report_of(world, key).earlier
    assert [(one.direction, one.text, one.by) for one in earlier] == [
        (TurnDirection.OUT, "Hello", ""),
        (TurnDirection.IN, "One", ""),
        (TurnDirection.OUT, "Hello", "anna@example.com"),
    ]
    assert earlier[0].state == "submitted"


def test_a_report_shows_no_more_than_the_last_twenty(world):
    for number in range(25):
        came(world, str(number))
    assert [one.text for one in report_of(world, came(world, "Last")).earlier] == [str(n) for n in range(24, 4, -1)]


def test_an_sms_that_is_nobodys_has_no_report(world):
    key = came(world, "Lost", customer_key=None)
    assert world.database.read_now(partial(load_inbound_reports, sms_keys=[key])) == {}


def test_a_late_part_names_the_sms_that_went_out_without_it(world):
    first = came(world, "One […] three", missing="2", total=3)
    late, forgotten = came(world, "two", late_of=first), came(world, "two", late_of=4711)
    reports = world.database.read_now(partial(load_inbound_reports, sms_keys=[first, late, forgotten]))
    assert (reports[first].is_late, reports[first].late_of) == (False, None)
    assert reports[late].is_late
    assert (reports[late].late_of.text, reports[late].late_of.at) == ("One […] three", reports[first].received_at)
    assert (reports[forgotten].is_late, reports[forgotten].late_of) == (True, None)
