"""What people send by hand is previewed by the same plan as mail, kept whole until it is confirmed, and sent once."""

import asyncio
import io
import time
from datetime import timedelta

import pytest
import xlsxwriter

from gateway.accept import Accepted
from gateway.portal.by_hand import ByHand, Draft, HandRecipient, read_options, rows_of
from gateway.table_reader import read_confined
from sms.outcome import Refusal, Refused
from sms.personalise import Table
from store.engine.keys import Keys
from store.portal_drafts import PortalDraftRow
from tests.kit.clock import Clock
from tests.kit.readers import read
from tests.kit.testbed import ANNA, ZOE, administer, open_core

ONE, TWO = "+447700900101", "+447700900102"
BOSS = "boss@elsewhere.example"


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


@pytest.fixture
def desk(core):
    core.moved = Clock()
    return ByHand(
        database=core.database,
        keys=Keys(1, time.time),
        applications=core.applications,
        book=core.book,
        clock=core.moved,
    )


def acme(core, name="acme"):
    return core.book.current.directory.customer_named(name)


def draft(text="Hello", *numbers, **fields):
    return Draft(text=text, recipients=tuple(HandRecipient(number=number) for number in numbers or (ONE,)), **fields)


def drafts(core):
    """Return content and job of each draft in the database."""
    return [(row.content, row.job_id) for row in core.database.read_now(lambda tx: read(tx.rows, PortalDraftRow))]


async def test_a_user_sends_by_hand_with_its_own_settings(core, desk):
    key = await desk.keep(acme(core), ANNA, draft("Hello", ONE, TWO, reference="order 7"))
    sent = await desk.send(acme(core), ANNA, key)
    assert isinstance(sent, Accepted)
    (job,) = core.jobs()
    assert (job.public_id, job.service, job.user_address, job.login) == (sent.job_id, "portal", ANNA, ANNA)
    assert (job.reference, job.service_by) == ("order 7", "interface portal")
    assert [message.number for message in core.messages()] == ["447700900101", "447700900102"]


async def test_an_account_that_is_no_user_sends_as_the_customer(core, desk):
    planned = await desk.plan(acme(core), BOSS, draft())
    assert planned.submission.sender.user is None
    assert planned.submission.sender.profile.name == "ops"
    assert planned.submission.resolved.settings.cost_centre == "acme"


async def test_an_account_that_is_a_user_of_another_customer_sends_as_the_customer(core, desk):
    planned = await desk.plan(acme(core, "rival"), ANNA, draft())
    assert (planned.submission.sender.customer.name, planned.submission.sender.user) == ("rival", None)


async def test_a_user_who_may_not_send_may_not_by_hand_either(core, desk):
    refused = await desk.plan(acme(core), ZOE, draft())
    assert refused.refusal is Refusal.SENDER_NOT_AUTHORISED


async def test_the_result_is_mailed_to_where_the_account_signs_in(core, desk):
    planned = await desk.plan(acme(core), BOSS, draft())
    assert planned.job.status_address == BOSS
    administer(core.folder, "customer set acme status_address=desk@acme.example.com")
    await core.book.refresh()
    planned = await desk.plan(acme(core), BOSS, draft())
    assert planned.job.status_address == "desk@acme.example.com"


async def test_a_preview_stores_nothing(core, desk):
    planned = await desk.plan(acme(core), ANNA, draft("Hello", ONE, "12"))
    assert [message.refused is None for message in planned.messages] == [True, False]
    assert (core.jobs(), drafts(core)) == ([], [])


async def test_without_recipients_the_text_is_still_counted(core, desk):
    planned = await desk.plan(acme(core), ANNA, Draft(text="Grüße 🚚"))
    assert (planned.encoded.alphabet.value, len(planned.encoded.lengths), planned.messages) == ("ucs2", 1, ())


async def test_what_is_confirmed_twice_is_sent_once_and_answered_with_the_same_job(core, desk):
    key = await desk.keep(acme(core), ANNA, draft())
    first, second = await asyncio.gather(desk.send(acme(core), ANNA, key), desk.send(acme(core), ANNA, key))
    third = await desk.send(acme(core), ANNA, key)
    assert {first.job_id, second.job_id, third.job_id} == {first.job_id}
    assert (third.repeated, len(core.jobs())) == (True, 1)
    assert await desk.find(acme(core), ANNA, key) == first.job_id


async def test_what_was_sent_before_a_crash_is_not_sent_again(core, desk):
    key = await desk.keep(acme(core), ANNA, draft())
    first = await desk.send(acme(core), ANNA, key)
    content, _ = drafts(core)[0]
    assert content == ""  # texts and numbers stay no longer than needed
    core.database.write_now(
        lambda tx, _: [tx.execute("UPDATE portal_draft SET content = ?, job_id = ''", (KEPT,))], None
    )
    again = await desk.send(acme(core), ANNA, key)
    assert (again.job_id, again.repeated, len(core.jobs())) == (first.job_id, True, 1)


KEPT = f'{{"text":"Hello","recipients":[{{"number":"{ONE}"}}]}}'


async def test_a_draft_is_its_accounts_alone_and_its_customers(core, desk):
    key = await desk.keep(acme(core), ANNA, draft())
    assert await desk.find(acme(core), BOSS, key) is None
    assert await desk.find(acme(core, "rival"), ANNA, key) is None
    assert await desk.send(acme(core, "rival"), ANNA, key) is None
    assert (await desk.find(acme(core), ANNA, key)).text == "Hello"


async def test_a_draft_is_forgotten_after_a_day(core, desk):
    key = await desk.keep(acme(core), ANNA, draft("old"))
    core.moved.move(timedelta(days=1, seconds=1))
    assert await desk.find(acme(core), ANNA, key) is None
    await desk.keep(acme(core), ANNA, draft("new"))
    assert ["new" in content for content, _ in drafts(core)] == [True]


async def test_what_is_refused_stays_a_draft(core, desk):
    key = await desk.keep(acme(core), ANNA, draft("Hello", "12"))
    assert isinstance(await desk.send(acme(core), ANNA, key), Refused)
    assert (await desk.find(acme(core), ANNA, key)).text == "Hello"


async def test_a_draft_goes_with_its_customer(core, desk):
    await desk.keep(acme(core, "rival"), BOSS, draft())
    administer(core.folder, "customer remove rival")
    assert drafts(core) == []


async def test_a_list_is_sent_with_its_values_and_its_settings(core, desk, tmp_path):
    members = tmp_path / "members.csv"
    members.write_text("number,name\n07700900101,Ann\n07700900102,Bob\n", "utf-8")
    administer(core.folder, f"list add crew --customer acme --author {ANNA}")
    administer(core.folder, f"list import crew {members} --customer acme")
    administer(core.folder, "list set crew --customer acme cost_centre=crew")
    await core.book.refresh()
    assert [found.name for found in desk.lists_for(acme(core), ANNA)] == ["crew"]
    assert desk.lists_for(acme(core), BOSS) == []
    assert desk.lists_for(acme(core, "rival"), ANNA) == []
    assert (await desk.members(acme(core), BOSS, "crew")).refusal is Refusal.SENDER_NOT_AUTHORISED
    recipients = await desk.members(acme(core), ANNA, "crew")
    asked = Draft(text="Hi {{ name }}", recipients=recipients, personalised=True, listed="crew")
    planned = await desk.plan(acme(core), ANNA, asked)
    assert [planned.encoded_of(message).text for message in planned.messages] == ["Hi Ann", "Hi Bob"]
    explained = planned.submission.resolved.explained["cost_centre"]
    assert (explained.value, explained.layer) == ("crew", "list")


async def test_each_row_of_a_table_is_judged_and_named(core, desk):
    table = await asyncio.to_thread(read_confined, b"number;name\n07700900101;Ann\n12;Bob\n07700900103;\n")
    assert isinstance(table, Table)
    asked = Draft(text="Hi {{ name }}", recipients=rows_of(table), personalised=True)
    planned = await desk.plan(acme(core), ANNA, asked)
    assert planned.refused.refusal is Refusal.NUMBER_IMPOSSIBLE
    assert [fault.row for fault in planned.faults] == ["line 3 (12)", "line 4 (07700900103)"]


def workbook():
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made)
    book.add_worksheet().write_column(0, 0, ["number", "+447700900101"])
    book.close()
    return made.getvalue()


def test_a_workbook_is_read_in_a_process_of_its_own():
    table = read_confined(workbook())
    assert isinstance(table, Table)
    assert [row.number for row in table.rows] == [ONE]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"\0\1\2\xff", b"x" * 6_000_000])
def test_a_damaged_or_huge_file_is_refused_with_a_reason(content):
    refused = read_confined(content)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.TEMPLATE_INCOMPLETE
    assert refused.detail.startswith("the table: ")


def test_choices_for_one_text_are_settings_that_a_message_may_have():
    assert read_options({"priority": "express", "sender_id": " ", "max_recipients": "9"}) == {"priority": "express"}
    (bad,) = read_options({"priority": "soon"})
    assert str(bad) == "priority: 'soon' is not normal or express"
