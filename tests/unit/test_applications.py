"""What an application sends becomes the job that a mail would become: same settings, texts, refusals and repeats."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus
from gateway.applications import ApplicationJob
from gateway.planned import JobPlan
from gateway.submission import RecipientRequest
from mta.sending.compose import MailIdentity, compose_notice
from sms.message import Origin, Priority
from sms.outcome import Refusal, Refused
from sms.report import Notice, NoticeKind
from sms.schedule import Blackout
from sms.settings import Unencodable
from store.tables import OutboxRow
from store.views import load_reports
from templates.render import Renderer
from tests.kit.testbed import ANNA, ZOE, administer, judge, open_core, proven

ONE, TWO = "+447700900101", "+447700900102"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def job(*texts, service=Origin.REST, **fields):
    """Return a job of texts, each with the numbers that it goes to."""
    return ApplicationJob(
        service=service,
        texts=tuple((text, tuple(RecipientRequest(given=to, number=to) for to in numbers)) for text, *numbers in texts),
        **fields,
    )


def login_of(core, user=ANNA, customer="acme"):
    return replace(proven(core, customer, user), login="anna-erp")


async def test_a_job_of_an_application_is_kept_with_its_login_and_interface(core):
    kept = await core.applications.submit(login_of(core), job(("Hello", ONE), reference="order 7"))
    assert isinstance(kept, Accepted)
    (stored,) = core.jobs()
    assert (stored.public_id, stored.service, stored.login, stored.user_address) == (
        kept.job_id,
        "rest",
        "anna-erp",
        ANNA,
    )
    assert (stored.reference, stored.service_by, stored.from_mail) == ("order 7", "interface rest", False)
    assert core.accepted == 1


async def test_each_text_of_a_job_goes_to_its_own_recipients(core):
    await core.applications.submit(login_of(core), job(("Hello", ONE, TWO), ("Good evening", ONE)))
    assert [(message.number, message.body) for message in core.messages()] == [
        ("447700900101", "Hello"),
        ("447700900102", "Hello"),
        ("447700900101", "Good evening"),
    ]


async def test_the_same_text_to_the_same_number_is_one_message_of_a_job(core):
    await core.applications.submit(login_of(core), job(("Hello", ONE, "07700900101"), ("Hello", ONE)))
    assert [message.number for message in core.messages()] == ["447700900101"]


async def test_one_text_that_may_not_be_sent_refuses_the_whole_job_and_is_named(core):
    asked = job(("Hello", ONE), ("日本", TWO), options={"unencodable": Unencodable.REJECT})
    refused = await core.applications.submit(login_of(core), asked)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.NOT_ENCODABLE
    assert refused.detail.startswith("text 2 of 2: ")
    assert core.jobs() == []


async def test_a_blank_text_is_refused(core):
    assert (await core.applications.submit(login_of(core), job((" \n", ONE)))).refusal is Refusal.NO_TEXT


async def test_options_of_a_request_count_as_those_of_a_mail(core):
    asked = job(("Hello", ONE), options={"priority": Priority.EXPRESS, "cost_centre": "request"})
    planned = await core.applications.plan(login_of(core), asked)
    explained = planned.submission.resolved.explained["cost_centre"]
    assert (explained.value, explained.layer, explained.origin) == ("request", "message", "request by rest")
    administer(core.folder, "customer limit acme --lock cost_centre")
    refused = await core.applications.submit(login_of(core), asked)
    assert refused.refusal is Refusal.SETTING_NOT_PERMITTED
    assert core.jobs() == []


async def test_a_login_of_a_whole_customer_is_for_mail_alone(core):
    refused = await core.applications.submit(proven(core, "acme"), job(("Hello", ONE)))
    assert refused.refusal is Refusal.SENDER_NOT_AUTHORISED
    assert "it is for mail alone" in refused.detail


async def test_who_may_not_send_may_not_by_an_interface_either(core):
    refused = await core.applications.submit(login_of(core, ZOE), job(("Hello", ONE)))
    assert refused.refusal is Refusal.SENDER_NOT_AUTHORISED


@pytest.mark.parametrize("service", [Origin.REST, Origin.SOAP, Origin.HTTP, Origin.SMPP])
async def test_an_interface_is_contracted(core, service):
    administer(core.folder, f"customer option acme --remove {service}")
    refused = await core.applications.submit(login_of(core), job(("Hello", ONE), service=service))
    assert refused.refusal is Refusal.NOT_CONTRACTED


async def test_a_change_of_the_address_book_is_in_force_for_the_next_job(core):
    administer(core.folder, "customer set acme sender_id=Acme")
    assert isinstance(await core.applications.submit(login_of(core), job(("Hello", ONE))), Accepted)
    assert [message.sender for message in core.messages()] == ["Acme"]


async def test_a_request_that_comes_again_under_its_name_is_answered_with_its_first_job(core):
    asked = job(("Hello", ONE), ("Good evening", ONE), digest=b"name of a request")
    first = await core.applications.submit(login_of(core), asked)
    again = await core.applications.submit(login_of(core), asked)
    assert again == Accepted(job_id=first.job_id, repeated=True)
    assert len(core.messages()) == 2


async def test_blackouts_of_a_recipient_stand_in_place_of_the_jobs(core):
    now = core.clock.now()
    of_job, own = (Blackout(start_at=now - timedelta(hours=1), end_at=now + timedelta(hours=hours)) for hours in (1, 2))
    recipients = (
        RecipientRequest(given=ONE, number=ONE, reference="first"),
        RecipientRequest(given=TWO, number=TWO, blackouts=(own,)),
        RecipientRequest(given="+447700900103", number="+447700900103", blackouts=()),
    )
    asked = ApplicationJob(service=Origin.REST, texts=(("Hello", recipients),), blackouts=(of_job,))
    await core.applications.submit(login_of(core), asked)
    due = [datetime.fromtimestamp(message.due_at / 1_000_000, UTC) for message in core.messages()]
    assert due[:2] == [of_job.end_at, own.end_at]
    assert due[2] < of_job.end_at
    assert [message.customer_ref for message in core.messages()] == ["first", "", ""]


async def test_a_plan_says_what_would_become_of_a_job_and_stores_nothing(core):
    planned = await core.applications.plan(login_of(core), job(("Hello", ONE, "+4930123456")))
    assert isinstance(planned, JobPlan)
    assert [message.refused.refusal if message.refused else None for message in planned.messages] == [
        None,
        Refusal.NUMBER_CANNOT_RECEIVE,
    ]
    assert core.jobs() == []
    administer(core.folder, f"stoplist add --customer acme {ONE}")
    await core.book.refresh()
    planned = await core.applications.plan(login_of(core), job(("Hello", ONE)))
    assert planned.refused is not None
    assert planned.refused.refusal is Refusal.STOP_LIST


INTERFACES = [Origin.REST, Origin.SOAP, Origin.HTTP, Origin.SMPP]
SAME = ("number", "refused", "route", "costs", "encoded", "parameters", "duplicate_of")


@pytest.mark.parametrize("text", ["Pump 7 has stopped", "Grüße 😀"])
@pytest.mark.parametrize("number", [ONE, "+4930123456", "12"])
async def test_a_mail_and_a_request_by_any_interface_to_one_number_are_planned_alike(core, text, number):
    mail = judge(core, "acme", text, to=(number,)).plan
    for service in INTERFACES:
        asked = await core.applications.plan(login_of(core), job((text, number), service=service))
        assert (asked.encoded, asked.refused) == (mail.encoded, mail.refused)
        assert asked.submission.resolved.settings == mail.submission.resolved.settings
        assert asked.submission.resolved.origins() == mail.submission.resolved.origins()
        for mine, its in zip(asked.messages, mail.messages, strict=True):
            assert [getattr(mine, name) for name in SAME] == [getattr(its, name) for name in SAME]


async def test_a_job_by_mail_and_one_by_each_interface_are_reported_alike(core):
    principal = login_of(core)
    kept = [await core.acceptance.keep(judge(core, "acme").plan)]
    kept += [await core.applications.submit(principal, job(("Hello", ONE), service=service)) for service in INTERFACES]
    sender = await core.applications.sender_of(principal, Origin.REST, tls=True)
    status = ApplicationStatus(core.database)
    reports = [report for one in kept if (report := await status.job(sender, one.job_id)) is not None]
    alike = [
        (report.settings, [(one.number, one.state, one.reason, one.parts) for one in report.messages])
        for report in reports
    ]
    assert alike == alike[:1] * len(kept)
    assert [report.service for report in reports] == ["mail", *INTERFACES]


async def test_the_status_of_an_applications_job_is_mailed_only_where_an_address_is_set(core):
    silent = await core.applications.submit(login_of(core), job(("Hello", ONE)))
    administer(core.folder, f"cancel {silent.job_id}")
    assert core.stored(OutboxRow) == []
    administer(core.folder, "customer set acme --service rest status_address=ops@acme.example.com first_report=on")
    told = await core.applications.submit(login_of(core), job(("Hello", ONE)))
    administer(core.folder, f"cancel {told.job_id}")
    rows = core.stored(OutboxRow)
    assert [(row.kind, row.channel, row.recipient) for row in rows] == [
        ("accepted", "mail", "ops@acme.example.com"),
        ("result", "mail", "ops@acme.example.com"),
    ]
    by_mail = judge(core, "acme").plan.job
    assert by_mail.status_address == ANNA


async def test_a_status_mail_about_an_applications_job_is_for_people_whatever_format_mails_get(core):
    administer(core.folder, "customer set acme status_address=ops@acme.example.com report_format=dsn")
    kept = await core.applications.submit(login_of(core), job(("Hello", ONE), reference="order 7"))
    administer(core.folder, f"cancel {kept.job_id}")
    (row,) = core.stored(OutboxRow)
    (report,) = core.database.read_now(lambda tx: load_reports(tx, [row.job_key])).values()
    notice = Notice(
        key=row.key,
        public_id=row.public_id,
        kind=NoticeKind.RESULT,
        recipient=row.recipient,
        report=report,
        created_at=NOON,
        attempt=1,
    )
    identity = MailIdentity(
        from_name="SMS",
        from_address="sms@sms.example.net",
        hostname="sms.example.net",
        message_id_domain="sms.example.net",
    )
    composed = compose_notice(notice, identity=identity, renderer=Renderer(), now=NOON)
    assert composed is not None
    assert composed.recipient == "ops@acme.example.com"
    assert b"multipart/alternative" in composed.message


@pytest.mark.parametrize("service", INTERFACES)
async def test_a_customer_that_demands_tls_has_no_interface_in_clear(core, service):
    principal = login_of(core)
    administer(core.folder, "customer tls-required acme on")
    await core.book.refresh()
    in_clear = core.applications.admit(principal, service, tls=False)
    assert isinstance(in_clear, Refused)
    assert in_clear.refusal is Refusal.TLS_REQUIRED
    assert not isinstance(core.applications.admit(principal, service, tls=True), Refused)
