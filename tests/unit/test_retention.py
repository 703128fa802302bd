"""How long things are kept: details, texts, months; and that what goes, goes in small steps and leaves nothing behind."""

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import psycopg
import pytest

from gateway.admin.support import close_request, open_request
from inbound.actions import ActionKind, ListAction
from reports.archive import list_months
from reports.retention import DETAILS_KEPT, REQUESTS_KEPT, limits_at
from sms.message import MailOrigin, ReceiptState
from sms.outcome import Done
from sms.serialise import freeze_settings
from sms.settings import Settings
from store.details import DetailRow
from store.engine.statements import table_of
from store.inbound_tables import ConversationRow, InboundEffectRow, InboundSmsRow
from store.portal_drafts import NewDraft, PortalDraftRow, add_drafts
from store.portal_tables import PortalSessionRow
from store.retention import AT_ONCE, forget_details
from store.rulings import RulingRow
from store.sums_tables import ArchiveMonthRow, JobSumRow, TrafficSumRow
from store.support import SupportPostRow, SupportRequestRow
from store.tables import (
    JobRow,
    MessageRow,
    OutboxAttemptRow,
    OutboxRow,
    PartAttemptRow,
    PartRow,
    ReceiptRow,
)
from tests.kit.inbound_harness import piece
from tests.kit.reports_harness import ReportsHarness
from tests.kit.store_harness import SECOND

NUMBER = "447700900101"
NOTED = ("receipts", "noted", "network")
DAY = timedelta(days=1)
OF_JOBS = (JobRow, MessageRow, PartRow, PartAttemptRow, ReceiptRow, DetailRow, JobSumRow)
OF_INBOUND = (InboundSmsRow, InboundEffectRow)


@pytest.fixture(name="world")
def _world(database_url):
    world = ReportsHarness(database_url)
    world.furnish()
    yield world
    world.database.close()


def tell_all(world):
    """Send everything that the outbox has."""
    while due := world.notices():
        for row in due:
            world.end_notice(row)


def count(world, *models):
    return {table_of(model): world.rows(f"SELECT count(*) FROM {table_of(model)}")[0][0] for model in models}


async def test_details_go_three_months_after_their_end_with_everything_of_them_and_their_sums_stay(world):
    world.add_action(world.customer, ListAction(addresses=("office@example.com",)), ActionKind.LIST)
    await world.book.refresh()
    world.deliver(NUMBER, "447700900102", parts=2)
    await world.arrive(piece("Hello"))
    await world.handle()
    await world.sum_all()
    tell_all(world)
    world.pass_time(DETAILS_KEPT - DAY)
    assert await world.forget_all() == 0
    before = world.sums("direction")
    world.pass_time(DAY)
    await world.forget_all()
    assert set(count(world, *OF_JOBS, *OF_INBOUND, OutboxRow, OutboxAttemptRow).values()) == {0}
    assert world.sums("direction") == before


async def test_what_has_not_ended_or_is_not_summed_or_not_told_stays(world):
    untold = world.deliver(NUMBER)
    open_job = world.add(NUMBER, expires_at=world.now + 200 * 86_400 * SECOND)
    await world.sum_all()
    world.pass_time(DETAILS_KEPT + DAY)
    await world.forget_all()
    assert {job.public_id for job in world.jobs()} == {open_job.public_id, untold.public_id}
    tell_all(world)
    world.execute("UPDATE job_sum SET changes = 1")
    await world.forget_all()
    assert len(world.jobs()) == 2
    await world.sum_all()
    await world.forget_all()
    assert [job.public_id for job in world.jobs()] == [open_job.public_id]


async def test_a_step_is_bounded_however_large_a_job_is_and_a_kill_between_two_steps_loses_no_place(world):
    many = 2 * AT_ONCE + 10
    world.add(*(f"4477009{number:05}" for number in range(many)))
    for _ in range(many // 100 + 1):
        for part in world.take():
            world.settle((part.part_key, Done(reference=str(part.part_key))))
    await world.sum_all()
    tell_all(world)
    world.pass_time(DETAILS_KEPT + DAY)
    left = []
    while await world.retention.step():
        left.append(count(world, MessageRow, DetailRow, JobRow))
    sizes = [each["message"] for each in left]
    assert sizes == [many - AT_ONCE, many - 2 * AT_ONCE, 0]
    assert [each["detail"] for each in left] == sizes
    assert [each["job"] for each in left] == [1, 1, 0]


async def test_texts_go_as_early_as_the_settings_of_their_job_say_and_nothing_else_does(world):
    settings = freeze_settings(Settings(text_days=7))
    mail = MailOrigin(reverse_path="anna@example.com", subject="Hello", header=b"Subject: Hello\r\n", body=b"Hello")
    short = world.deliver(NUMBER, parts=2, settings=settings, mail=mail)
    long = world.deliver(NUMBER)
    world.set("text_days", "2")
    await world.arrive(piece("Secret"))
    await world.handle()
    await world.sum_all()
    tell_all(world)
    world.pass_time(2 * DAY)
    await world.forget_all()
    assert world.texts() == [""]
    assert world.inbound_sms()[0].shown == ""
    assert "Hello" in world.messages(short.public_id)[0].body
    world.pass_time(5 * DAY)
    await world.forget_all()
    report = world.report(short.public_id)
    assert (report.messages[0].text, [part.text for part in report.messages[0].parts]) == ("", ["", ""])
    assert report.mail is not None
    assert (report.mail.subject, report.mail.header, report.mail.body) == ("", b"", None)
    assert [part.billed for part in report.messages[0].parts] == [True, True]
    assert world.report(long.public_id).messages[0].text == "Hello"


async def test_a_text_that_a_notice_still_needs_waits_for_it(world):
    job = world.deliver(NUMBER, settings=freeze_settings(Settings(text_days=1)))
    await world.sum_all()
    world.pass_time(2 * DAY)
    await world.forget_all()
    assert world.report(job.public_id).messages[0].text == "Hello"
    tell_all(world)
    world.pass_time(timedelta(hours=1))
    await world.forget_all()
    assert world.report(job.public_id).messages[0].text == ""


async def test_a_job_whose_text_is_gone_is_still_corrected(world):
    carrier_id = world.deliver_late(NUMBER, settings=freeze_settings(Settings(text_days=1)))
    await world.sum_all()
    tell_all(world)
    world.pass_time(2 * DAY)
    await world.forget_all()
    world.receipt(carrier_id, ReceiptState.DELIVERED)
    await world.sum_all()
    assert world.sums("state")["delivered", "messages"] == 1
    assert [row.texts_until for row in world.stored(JobSumRow)] == [None]


async def test_the_archive_has_six_months_beside_the_one_under_way(world):
    for month in range(1, 13):
        world.go_to(datetime(2026, month, 15, tzinfo=UTC))
        world.deliver(NUMBER)
        await world.sum_all()
        await world.monthly.step()
    world.go_to(datetime(2026, 12, 31, 12, tzinfo=UTC))
    await world.forget_all()
    months = world.database.read_now(partial(list_months, customer="Example Ltd"))
    assert [row["month"] for row in months] == [f"2026-{month:02}" for month in range(12, 5, -1)]
    assert min(row.month for row in world.stored(ArchiveMonthRow)) == "2026-06"


async def test_a_conversation_is_kept_as_long_as_the_archive(world):
    await world.arrive(piece("Hello"))
    await world.handle()
    await world.sum_all()
    world.pass_time(6 * 30 * DAY)
    await world.forget_all()
    assert len(world.stored(ConversationRow)) == 1
    world.pass_time(32 * DAY)
    await world.forget_all()
    assert world.stored(ConversationRow) == []


async def test_the_database_stays_as_large_in_a_year_of_the_same_traffic(world, database_url):
    sizes = []
    for month in range(15):
        for _ in range(3):
            world.pass_time(10 * DAY)
            for _ in range(3):
                world.deliver(*(f"4477009001{number:02}" for number in range(20)), parts=2)
            await world.arrive(piece("Hello"))
            await world.handle()
            await world.sum_all()
            tell_all(world)
            await world.forget_all()
            await world.monthly.step()
        if month >= 8:
            sizes.append(size_of(world, database_url))
    assert max(sizes[3:]) <= max(sizes[:3]) * 1.1
    assert len(world.stored(TrafficSumRow)) < 7 * 31 * 4


def size_of(world, url):
    """Return how many pages the database has; PostgreSQL takes up what was deleted as its autovacuum would."""
    if not world.database.postgresql:
        return world.rows("PRAGMA page_count")[0][0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM")
    return world.rows("SELECT pg_database_size(current_database())")[0][0]


def test_a_request_with_nothing_to_forget_counts_nothing(world):
    assert world.database.write_now(forget_details, limits_at(world.clock.now())) == 0


def rulings_of(world):
    """Return the digests that are stored, and those that messages name."""
    stored = {row.digest for row in world.stored(RulingRow)}
    return stored, {message.ruling for message in world.messages()}


async def test_what_rules_of_countries_did_goes_after_the_last_job_of_its_month(world):
    for _ in range(5):
        world.deliver(NUMBER, findings=(NOTED,))
        await world.sum_all()
        tell_all(world)
        world.pass_time(31 * DAY)
        await world.forget_all()
        stored, named = rulings_of(world)
        assert named <= stored
    assert len(stored) == 3
    open_job = world.add(NUMBER, findings=(NOTED,), expires_at=world.now + 300 * 86_400 * SECOND)
    (of_open,) = {message.ruling for message in world.messages(job_key=open_job.key)}
    world.pass_time(200 * DAY)
    await world.forget_all()
    assert rulings_of(world) == ({of_open}, {of_open})
    world.pass_time(101 * DAY)
    world.sweep()
    await world.sum_all()
    tell_all(world)
    world.pass_time(DETAILS_KEPT + 31 * DAY)
    await world.forget_all()
    assert rulings_of(world) == (set(), set())


async def test_many_rulings_go_a_step_at_a_time(world):
    for number in range(2 * AT_ONCE + 1):
        world.deliver(NUMBER, findings=(("urls", "noted", f"forbidden: {number}.example.com"),))
    await world.sum_all()
    tell_all(world)
    world.pass_time(DETAILS_KEPT + 31 * DAY)
    left = []
    while await world.retention.step():
        left.append(len(rulings_of(world)[0]))
    falls = [before - after for before, after in pairwise(left) if after < before]
    assert left[-1] == 0
    assert max(falls) <= AT_ONCE


async def test_support_requests_go_six_months_after_they_ended_and_those_that_have_not_stay(world):
    named = partial(open_request, customer="Example Ltd", text="Nothing arrives.")
    opened = {}
    for subject in ("open", "solved", "closed"):
        (done,) = world.admin.change_now(partial(named, subject=subject))
        opened[subject] = done.facts["request"]
    world.admin.change_now(
        partial(close_request, request=opened["solved"], solved=True), partial(close_request, request=opened["closed"])
    )
    world.pass_time(REQUESTS_KEPT - DAY)
    assert await world.forget_all() == 0
    world.pass_time(DAY)
    await world.forget_all()
    assert [row.subject for row in world.stored(SupportRequestRow)] == ["open"]
    assert len(world.stored(SupportPostRow)) == 1


async def test_what_nobody_sent_or_kept_and_sessions_go_when_they_expire_a_step_at_a_time(world):
    drafts = [
        NewDraft(key=key, customer_key=world.customer, account="anna", content="{}", expires_at=world.now + key)
        for key in range(1, 2 * AT_ONCE + 2)
    ]
    for draft in drafts:
        world.database.write_now(add_drafts, (draft, world.now))
    world.execute(
        "INSERT INTO portal_session (key, digest, account_key, stage, created_at, used_at, expires_at, client, agent)"
        f" VALUES (1, 'x', 1, 'open', 0, 0, {world.now + DAY // timedelta(microseconds=1)}, '', '')"
    )
    assert await world.forget_all() == 0
    world.pass_time(timedelta(hours=1))
    assert await world.forget_all() == 3
    assert world.stored(PortalDraftRow) == []
    assert len(world.stored(PortalSessionRow)) == 1
    world.pass_time(DAY)
    await world.forget_all()
    assert world.stored(PortalSessionRow) == []
