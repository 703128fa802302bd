"""Which runs of a directory are told by mail, to whom, and what is said of each."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from addressbook.changes import ChangeFault, ChangeFaultCode, Reading
from addressbook.runs import Reason, RunState
from gateway.admin.customers import set_admin_address
from gateway.admin.settings import CustomerScope, set_settings
from gateway.directory import DirectoryFollower
from gateway.directory_mails import DIRECTORY_MAIL, DirectoryMails, DirectoryTelling
from gateway.outbox_kinds import KINDS
from gateway.ports import DirectoryMail
from sms.report import Channel
from store.directory_tables import DirectoryRunRow
from store.outbox import Outbox, Places, TakeDue
from templates.directory_view import DirectoryNews
from tests.kit.sync_harness import SyncHarness, entry, reading_of

ADMIN, OPERATOR = "it@example.com", "ops@sms.example.net"
BIND = Reason(section="read", code="bind-refused", facts={"name": "cn=reader", "result": "49"})
DOWN = Reason(section="read", code="unreachable", facts={"host": "ldap.example.com", "cause": "refused"})


class Office(SyncHarness):
    """The harness with an administrator's address, and what its mails say."""

    def __init__(self, url: str, operator: str = "") -> None:
        super().__init__(url)
        self.do(set_admin_address, "Example", ADMIN)
        self.sync.tell = DirectoryTelling(self.keys, operator).tell
        self.book = DirectoryFollower(self.database, {})
        self.mails = DirectoryMails(book=self.book, database=self.database, config_file="/etc/mail2sms.toml")

    def fail(self, reason: Reason) -> None:
        with self.begin() as run:
            run.fail(reason)

    def told(self) -> list[tuple[str, str]]:
        """Return the events of the mails so far, each with its recipient."""
        return [(about["event"], recipient) for recipient, about in self.tables.facts_told(kind=DIRECTORY_MAIL)]

    def events(self) -> list[str]:
        return [event for event, _ in self.told()]

    async def news(self) -> list[DirectoryNews | None]:
        """Return what each mail would say now."""
        await self.book.load()
        places = Places(most=50, each=50, ceiling=50, under_way={})
        request = TakeDue(owner="test", channel=Channel.MAIL, now=1 << 62, places=places)
        rows = self.database.write_now(Outbox(self.keys).take, request)
        items = [KINDS[row.kind].open(row, None) for row in rows]
        assert all(isinstance(item, DirectoryMail) for item in items)
        return [await self.mails.news(item) for item in items if isinstance(item, DirectoryMail)]


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    made = Office(database_url)
    yield made
    made.database.close()


def people(count: int) -> list[str]:
    return [f"user{number}" for number in range(count)]


async def test_a_failure_is_told_once_for_each_cause_and_once_when_it_is_over(office):
    for reason in (BIND, BIND, DOWN, BIND):
        office.fail(reason)
    assert office.told() == [("failed", ADMIN), ("failed", ADMIN)]
    office.full(entry("anna"))
    office.full(entry("anna"))
    assert office.events() == ["failed", "failed", "recovered"]
    office.fail(BIND)
    assert office.events()[-1] == "failed"
    first, second, _, last = await office.news()
    assert (first.reasons, first.failures) == ((BIND,), 1)
    assert (second.reasons, second.failures) == ((DOWN,), 3)
    assert (last.failures, last.customer, last.directory) == (1, "Example", "head-office")


async def test_what_waits_is_told_with_its_difference_and_the_command_in_the_customers_language(office):
    office.do(set_settings, CustomerScope("Example"), {"language": "de"})
    office.full(*map(entry, people(10)))
    office.full(*(entry(name, cost_centre="4711") for name in people(10)))
    assert office.events() == ["held"]
    (news,) = await office.news()
    assert news.settings.language == "de"
    assert {reason.code for reason in news.reasons} == {"changed"}
    assert len(news.lines) == 10
    (held,) = office.tables.stored(DirectoryRunRow, state="held")
    assert news.command == f"mail2sms dirsync approve {held.digest[:12]} --config /etc/mail2sms.toml"


async def test_what_waits_no_longer_is_not_told_any_more(office):
    office.full(*map(entry, people(10)))
    held = office.full(*(entry(name, cost_centre="4711") for name in people(10)))
    assert held.state is RunState.HELD
    assert office.approve(held.digest).state is RunState.APPLIED
    assert await office.news() == [None]


def faulty(*places: int) -> Reading:
    faults = tuple(
        ChangeFault(place=place, code=ChangeFaultCode.NO_PROFILE, facts={"name": "Boss"}, column="title")
        for place in places
    )
    return replace(reading_of(entry("anna", 1), entry("ben", 2)), faults=faults)


async def test_entries_at_fault_are_told_when_they_are_others_than_before(office):
    for places in ((), (2,), (2,), (1, 2), (), (2,)):
        office.run(faulty(*places))
    assert office.events() == ["faulty"] * 3
    first, second, _ = await office.news()
    assert [left.column for left in first.faults] == ["title"]
    assert len(second.faults) == 2


@pytest.mark.parametrize(("operator", "told"), [(OPERATOR, [("failed", OPERATOR)]), ("", [])])
def test_where_a_customer_names_nobody_the_operator_is_told(database_url, operator, told):
    office = Office(database_url, operator)
    office.do(set_admin_address, "Example")
    office.fail(DOWN)
    assert office.told() == told
    office.database.close()


def test_a_run_that_reads_and_changes_is_no_news(office):
    office.full(entry("anna"))
    office.full(entry("anna"), entry("ben"))
    office.full(entry("anna", cost_centre="4711"), entry("ben"), dry_run=True)
    assert office.told() == []
