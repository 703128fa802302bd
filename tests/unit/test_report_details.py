"""Details as people ask for them: filters as typed, pages, and whole tables, on both databases."""

import asyncio
from pathlib import Path

import pytest

from gateway.admin.faults import AdminFault, FaultCode
from reports.details import COLUMNS, DetailQuery, SentDetails, read_query
from reports.inbound_details import INBOUND_COLUMNS
from sms.number import SenderId, SenderKind
from store.answers import Rules
from tests.kit.store_harness import SECOND, StoreHarness

ANNA, BEN = "447700900123", "447700900456"
ANNAS = (
    *(ANNA, "0044 7700 900123", "(07700) 900123", "(+44) 7700 900123", "+44 (0)7700 900123", "tel:+447700900123"),
    *(f"'+{ANNA}", f"+{ANNA},", "\u202a+44\u00a07700\u00a0900123\u202c", "+44\u20117700\u2011900123"),
)
"""The same number as it is typed, pasted from a page, and taken from our own CSV."""


@pytest.fixture
def world(database_url):
    made = StoreHarness(database_url, Rules())
    made.add(ANNA, cost_centre="4711", reference="Order 2026_4711")
    made.now += SECOND
    made.add(BEN, sender=SenderId(value="447700900100", kind=SenderKind.NUMERIC))
    yield made
    made.database.close()


def found(world, **typed):
    page = asyncio.run(SentDetails(world.database).page(read_query(1, DetailQuery(**typed), "GB"), 50))
    return [one["to"] for one in page.details]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({}, [f"+{BEN}", f"+{ANNA}"]),
        ({"number": "07700 900123"}, [f"+{ANNA}"]),
        *(({"number": typed}, [f"+{ANNA}"]) for typed in ANNAS),
        ({"user": "Anna@Example.com"}, [f"+{BEN}", f"+{ANNA}"]),
        ({"sender_id": "+44 7700 900100"}, [f"+{BEN}"]),
        ({"sender_id": "no such sender at all"}, []),
        ({"states": ["queued"], "services": ["mail"]}, [f"+{BEN}", f"+{ANNA}"]),
        ({"cost_centre": "4711"}, [f"+{ANNA}"]),
        ({"reference": "4711"}, [f"+{ANNA}"]),
        ({"reference": "ORDER 2026_"}, [f"+{ANNA}"]),
        ({"reference": "2026%4711"}, []),
    ],
)
def test_filters_are_read_as_people_type_them(world, typed, expected):
    assert found(world, **typed) == expected


@pytest.mark.parametrize(
    ("typed", "code"), [({"number": "pump"}, FaultCode.BAD_NUMBER), ({"user": "anna"}, FaultCode.BAD_ADDRESS)]
)
def test_what_cannot_be_read_is_refused(typed, code):
    with pytest.raises(AdminFault) as refused:
        read_query(1, DetailQuery(**typed), "GB")
    assert refused.value.code is code


def test_pages_lead_from_one_to_the_next_and_end(world):
    details, wanted = SentDetails(world.database), read_query(1, DetailQuery())
    first = asyncio.run(details.page(wanted, 1))
    second = asyncio.run(details.page(wanted, 1, first.after))
    assert [one["to"] for one in (*first.details, *second.details)] == [f"+{BEN}", f"+{ANNA}"]
    assert second.after == ""
    assert asyncio.run(details.page(wanted, 1, "no place")).details == first.details


def test_a_message_that_is_held_is_told_with_the_time_at_which_it_was_due(world):
    (before,) = asyncio.run(SentDetails(world.database).page(read_query(1, DetailQuery(number=f"+{ANNA}")), 50)).details
    world.hold(str(before["sms"]))
    (held,) = asyncio.run(SentDetails(world.database).page(read_query(1, DetailQuery(number=f"+{ANNA}")), 50)).details
    assert held == before


def test_a_table_has_every_message_once_with_a_cell_for_each_column(world):
    world.add(*(f"44770090{number:04}" for number in range(1200)))
    rows = list(SentDetails(world.database).rows(read_query(1, DetailQuery())))
    assert len({row[COLUMNS.index("sms")] for row in rows}) == len(rows) == 1202
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_the_page_about_reports_has_every_column():
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")
    assert [column for column in (*COLUMNS, *INBOUND_COLUMNS) if f"`{column}`" not in page] == []
