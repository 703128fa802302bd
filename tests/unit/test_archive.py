"""The archive of months: closed when all of it is summed, as it was then, with what was corrected since."""

import io
import zipfile
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from functools import partial

import pytest

from addressbook.exchange import write_csv
from gateway.admin.faults import AdminFault, FaultCode
from gateway.letters import LETTER, open_letter
from mta.sending.compose import MailIdentity
from mta.sending.letter import compose_letter
from reports.archive import COLUMNS, Month, list_months, show_month
from reports.counting import Direction, Figures
from sms.message import ReceiptState
from store.sums import find_due_jobs
from store.sums_tables import ArchiveMonthRow
from templates.render import Renderer
from tests.kit.inbound_harness import pieces
from tests.kit.reports_harness import ReportsHarness

NUMBER, AUSTRIAN = "447700900101", "436601234567"
CUSTOMER = "Example Ltd"
IDENTITY = MailIdentity(
    from_address="sms@sms.example.net",
    from_name="SMS",
    hostname="mx.example.net",
    message_id_domain="sms.example.net",
)


@pytest.fixture(name="world")
def _world(database_url):
    world = ReportsHarness(database_url)
    world.furnish()
    world.go_to(datetime(2026, 11, 10, 12, tzinfo=UTC))
    yield world
    world.database.close()


def month_of(world, month="2026-11"):
    return world.database.read_now(partial(show_month, customer=CUSTOMER, month=month))


def lines(found, *columns):
    return [(line.direction.value, line.name, *line.figures) for line in found.by(*columns)]


async def test_a_month_tells_what_was_sent_and_received_by_each_thing_that_is_asked_for(world):
    world.deliver(NUMBER, AUSTRIAN, parts=2)
    world.deliver(NUMBER, service="rest", user_address="", mail=None, login="erp")
    await world.arrive(*pieces("One ", "two"))
    await world.handle()
    await world.sum_all()
    found = month_of(world)
    assert lines(found, "service", "state") == [
        ("sent", "mail · delivered", 2, 4, 4, 0),
        ("sent", "rest · delivered", 1, 1, 1, 0),
        ("received", "inbound · received", 1, 2, 2, 0),
    ]
    assert lines(found, "user_address")[:2] == [("sent", "anna@example.com", 2, 4, 4, 0), ("sent", "erp", 1, 1, 1, 0)]
    assert lines(found, "country") == [
        ("sent", "GB", 2, 3, 3, 0),
        ("sent", "AT", 1, 2, 2, 0),
        ("received", "GB", 1, 2, 2, 0),
    ]
    assert (found.zones, found.total(Direction.SENT), found.closed) == (("UTC",), Figures(3, 5, 5, 0), False)


async def test_the_list_has_each_month_of_each_customer_with_its_totals(world):
    world.deliver(NUMBER)
    world.go_to(datetime(2026, 12, 1, 9, tzinfo=UTC))
    world.deliver(NUMBER, parts=3)
    await world.sum_all()
    await world.monthly.step()
    months = world.database.read_now(partial(list_months, customer=CUSTOMER))
    assert [(row["month"], row["sent"], row["billed"], row["received"], row["closed"]) for row in months] == [
        ("2026-12", 1, 3, 0, False),
        ("2026-11", 1, 1, 0, True),
    ]
    assert world.database.read_now(list_months) == months


async def test_a_month_is_closed_early_on_the_first_day_of_the_next_in_its_customers_time_zone(world):
    world.set("time_zone", "America/New_York")
    world.deliver(NUMBER)
    await world.sum_all()
    for instant, closed in (
        (datetime(2026, 12, 1, 5, 4, tzinfo=UTC), []),
        (datetime(2026, 12, 1, 5, 5, tzinfo=UTC), [("2026-11", "America/New_York")]),
    ):
        world.go_to(instant)
        await world.monthly.step()
        assert [(row.month, row.zone) for row in world.stored(ArchiveMonthRow)] == closed
    world.go_to(datetime(2026, 12, 2, tzinfo=UTC))
    await world.monthly.step()
    assert len(world.stored(ArchiveMonthRow)) == 1


async def test_a_month_is_closed_only_when_all_that_ended_in_it_is_summed(world):
    world.deliver(NUMBER)
    await world.sum_all()
    world.deliver(NUMBER)
    world.go_to(datetime(2026, 12, 1, 1, tzinfo=UTC))
    await world.monthly.step()
    assert world.stored(ArchiveMonthRow) == []
    assert len(world.database.read_now(find_due_jobs)) == 1
    await world.sum_all()
    await world.monthly.step()
    assert len(world.stored(ArchiveMonthRow)) == 1
    assert month_of(world).total(Direction.SENT).messages == 2


async def test_a_correction_after_the_end_of_a_month_stands_beside_it_and_in_the_month_that_it_was_made_in(world):
    in_time, late = world.deliver_late(NUMBER), world.deliver_late(NUMBER)
    await world.sum_all()
    world.receipt(in_time, ReceiptState.DELIVERED)
    await world.sum_all()
    world.go_to(datetime(2026, 12, 3, 12, tzinfo=UTC))
    world.receipt(late, ReceiptState.DELIVERED)
    await world.sum_all()
    november, december = month_of(world), month_of(world, "2026-12")
    assert lines(november, "state") == [("sent", "delivered", 1, 1, 1, 0), ("sent", "unknown", 1, 1, 1, 0)]
    told = [(item.month, item.corrected_on, item.state, item.figures.messages) for item in november.corrections]
    assert told == [("2026-11", "2026-12-03", "delivered", 1), ("2026-11", "2026-12-03", "unknown", -1)]
    assert (december.lines, december.earlier) == ([], november.corrections)


async def test_the_table_of_a_month_names_the_customer_no_carrier_and_has_numbers_as_numbers(world):
    carrier_id = world.deliver_late(NUMBER)
    await world.sum_all()
    world.go_to(datetime(2026, 12, 3, 12, tzinfo=UTC))
    world.receipt(carrier_id, ReceiptState.DELIVERED)
    await world.sum_all()
    assert write_csv(COLUMNS, month_of(world).rows()).splitlines()[1:] == [
        "2026-11,sent,mail,,anna@example.com,GB,unknown,,1,1,1,0",
        "2026-11,sent,mail,,,,delivered,2026-12-03,1,1,1,0",
        "2026-11,sent,mail,,,,unknown,2026-12-03,-1,-1,-1,0",
    ]
    assert [line[7] for line in month_of(world, "2026-12").rows()] == ["2026-12-03", "2026-12-03"]


@pytest.mark.parametrize(
    ("customer", "month", "code"),
    [
        ("Nobody", "2026-11", FaultCode.NO_CUSTOMER),
        (CUSTOMER, "11/2026", FaultCode.NO_MONTH),
        (CUSTOMER, "2026-13", FaultCode.NO_MONTH),
    ],
)
def test_what_is_no_customer_or_no_month_is_said(world, customer, month, code):
    with pytest.raises(AdminFault) as raised:
        world.database.read_now(partial(show_month, customer=customer, month=month))
    assert raised.value.code is code


def test_months_are_counted_over_the_ends_of_years():
    assert str(Month(year=2026, month=1).moved(-1)) == "2025-12"
    assert Month(year=2026, month=12).days == ("2026-12-01", "2027-01-01")


async def test_a_closed_month_is_mailed_once_to_each_address_that_wants_it_with_its_table(world):
    world.set("summary_addresses", "boss@example.com,office@example.com")
    world.set("language", "de")
    world.deliver(NUMBER, parts=2)
    await world.sum_all()
    world.go_to(datetime(2026, 12, 1, 1, tzinfo=UTC))
    for _ in range(2):
        await world.monthly.step()
    letters = [open_letter(row) for row in world.notices() if row.kind == LETTER]
    assert [letter.recipient for letter in letters] == ["boss@example.com", "office@example.com"]
    assert letters[0].table.decode("utf-8-sig").splitlines()[1:] == [
        "2026-11,sent,mail,,anna@example.com,GB,delivered,,1,2,2,0"
    ]
    mail = compose_letter(letters[0], "de", identity=IDENTITY, renderer=Renderer(), now=world.clock.now())
    read = message_from_bytes(mail.message, policy=default)
    assert read["Subject"] == "SMS von Example Ltd im Monat 2026-11"
    plain = read.get_body(("plain",))
    assert plain is not None
    assert "Gesendet: 1 SMS mit 2 Teilen, von denen Netzbetreiber 2 angenommen haben." in plain.get_content()
    table, workbook = read.iter_attachments()
    assert table.get_filename() == "Example-Ltd-2026-11-2026-12-01.csv"
    assert table.get_content_type() == "text/csv"
    assert workbook.get_filename() == "Example-Ltd-2026-11-2026-12-01.xlsx"
    with zipfile.ZipFile(io.BytesIO(workbook.get_content())) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 2
    assert "anna@example.com" in sheet


async def test_a_month_that_nobody_wants_mailed_is_closed_without_a_mail(world):
    world.deliver(NUMBER)
    await world.sum_all()
    world.go_to(datetime(2026, 12, 1, 1, tzinfo=UTC))
    await world.monthly.step()
    assert len(world.stored(ArchiveMonthRow)) == 1
    assert [row.kind for row in world.notices() if row.kind == LETTER] == []


async def test_months_that_ended_while_the_gateway_was_down_are_closed_and_mailed_when_it_is_back(world):
    world.set("summary_addresses", "boss@example.com")
    world.deliver(NUMBER)
    world.go_to(datetime(2026, 12, 10, tzinfo=UTC))
    world.deliver(NUMBER)
    world.go_to(datetime(2027, 2, 10, tzinfo=UTC))
    await world.sum_all()
    await world.monthly.step()
    assert sorted(row.month for row in world.stored(ArchiveMonthRow)) == ["2026-11", "2026-12"]
    letters = [open_letter(row) for row in world.notices() if row.kind == LETTER]
    assert sorted(letter.fields["month"] for letter in letters) == ["2026-11", "2026-12"]
