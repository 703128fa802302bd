"""Inbound SMS are found by number, phone, mailbox, keyword, time and by whether anybody got them, on both databases."""

import asyncio
from typing import Any

import pytest

from gateway.admin.faults import AdminFault, FaultCode
from reports.inbound_details import INBOUND_COLUMNS, InboundDetails, InboundQuery, list_inbound, read_inbound_query
from store.answers import Rules
from store.engine.keys import to_instant
from store.engine.statements import Insert
from store.inbound_mail import INBOUND_MAIL
from store.inbound_tables import InboundEffectRow, InboundSmsRow
from store.outbox import NewRow
from tests.kit.store_harness import SECOND, StoreHarness

ANNA, BEN, OURS, OTHER = "447700900123", "447700900456", "447700900999", "80800"
_SMS, _EFFECTS = Insert(InboundSmsRow), Insert(InboundEffectRow)


@pytest.fixture
def world(database_url):
    """Return a store with an SMS of Anna to our number, mailed to a user; of Ben to a short code; one of nobody."""
    made = StoreHarness(database_url, Rules())
    first = came(made, ANNA, OURS, keyword="menu")
    insert(made, _EFFECTS, key=made.keys.take(), sms_key=first, kind="mail", target="Anna@example.com")
    row = NewRow(kind=INBOUND_MAIL, prefix="IN", recipient="anna@example.com", now=made.now, about={}, sms_key=first)
    made.database.write_now(made.outbox.add, row)
    came(made, BEN, OTHER)
    came(made, BEN, OTHER, customer_key=None, customer="", reason="unknown-number")
    yield made
    made.database.close()


def insert(world: StoreHarness, statement: Insert, **columns: Any) -> None:
    def write(tx, rows):
        tx.insert(statement, rows)
        return [None] * len(rows)

    world.database.write_now(write, statement.row(**columns))


def came(world: StoreHarness, phone: str, destination: str, **changes: Any) -> int:
    key = world.keys.take()
    facts = {
        "key": key,
        "public_id": f"I.{key}",
        "carrier": "alpha",
        "source": f"+{phone}",
        "destination": f"+{destination}" if len(destination) > 6 else destination,
        "phone": phone,
        "body": "Hello",
        "shown": "Hello",
        "customer_key": 1,
        "customer": "Example Ltd",
        "received_at": world.now,
        "handled_at": world.now,
    }
    insert(world, _SMS, **facts | changes)
    world.now += SECOND
    return key


def found(world, customer_key=1, **typed):
    wanted = read_inbound_query(customer_key, InboundQuery(**typed), "GB")
    return [row["from"] for row in asyncio.run(InboundDetails(world.database).page(wanted, 50)).details]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({}, [f"+{BEN}", f"+{ANNA}"]),
        ({"customer_key": 2}, []),
        ({"customer_key": None}, [f"+{BEN}", f"+{BEN}", f"+{ANNA}"]),
        ({"number": "80800"}, [f"+{BEN}"]),
        ({"number": "+44 7700 900999"}, [f"+{ANNA}"]),
        ({"phone": "07700 900456"}, [f"+{BEN}"]),
        ({"user": "anna@example.com"}, [f"+{ANNA}"]),
        ({"user": "ben@example.com"}, []),
        ({"keyword": "menu"}, [f"+{ANNA}"]),
        ({"handed": ["waits"]}, [f"+{ANNA}"]),
        ({"handed": ["nobody", "no"], "customer_key": None}, [f"+{BEN}"]),
        ({"handed": ["yes"]}, []),
    ],
)
def test_each_filter_finds_what_has_its_value_and_never_another_customers(world, typed, expected):
    assert found(world, **typed) == expected


def test_pages_and_tables_have_every_sms_once(world):
    details, wanted = InboundDetails(world.database), read_inbound_query(None, InboundQuery())
    first = asyncio.run(details.page(wanted, 2))
    second = asyncio.run(details.page(wanted, 2, first.after))
    ids = [row["sms"] for row in (*first.details, *second.details)]
    assert len(set(ids)) == 3
    assert second.after == ""
    assert [row[INBOUND_COLUMNS.index("sms")] for row in details.rows(wanted)] == ids


def test_the_command_lists_them_as_lines_from_a_time_on(world):
    since = to_instant(world.now - 2 * SECOND)
    rows = world.database.read_now(lambda tx: list_inbound(tx, since=since, not_handed_over=True))
    assert [(row["from"], row["handed_over"], row["reason"]) for row in rows] == [
        (f"+{BEN}", "nobody", "unknown-number")
    ]
    assert rows[0]["received_at"] == f"{to_instant(world.now - SECOND):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("typed", "code"), [({"phone": "pump"}, FaultCode.BAD_NUMBER), ({"user": "anna"}, FaultCode.BAD_ADDRESS)]
)
def test_what_cannot_be_read_is_refused(typed, code):
    with pytest.raises(AdminFault) as refused:
        read_inbound_query(1, InboundQuery(**typed))
    assert refused.value.code is code
