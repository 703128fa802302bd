"""A plan that is kept: one job whatever is repeated, nothing kept twice, nothing said before the commit."""

import asyncio
import time
from datetime import timedelta

import pytest

from gateway.accept import Accepted, SnapshotChanged
from sms.outcome import Refusal, Refused
from sms.report import NoticeKind, addressees
from sms.settings import StatusChannel
from store.due import Take
from store.engine.database import StorageError, StorageFullError
from store.views import load_reports
from tests.kit.testbed import ANNA, BOB, administer, judge, open_core

URL = "https://app.example.com/sms"


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def take(core):
    """Take everything that waits for a carrier."""
    routes = tuple({message.route for message in core.messages()})
    request = Take(carrier="alpha", routes=routes, most_parts=1000, now=time.time_ns() // 1000, owner="me")
    return core.database.write_now(core.outbound.take, request)


async def keep(core, judged):
    assert judged.plan is not None
    return await core.acceptance.keep(judged.plan)


async def test_what_is_kept_is_committed_and_dispatch_is_woken(core):
    kept = await keep(core, judge(core, "acme", message_id="<1@example.com>"))
    assert isinstance(kept, Accepted)
    assert [(job.public_id, job.customer, job.profile, job.user_address, job.service) for job in core.jobs()] == [
        (kept.job_id, "acme", "ops", ANNA, "mail")
    ]
    assert [(message.number, message.state) for message in core.messages()] == [("447700900101", "queued")]
    assert core.accepted == 1


async def test_a_mail_that_comes_again_is_answered_with_its_first_job(core):
    first = await keep(core, judge(core, "acme", message_id="<1@example.com>"))
    again = await keep(core, judge(core, "acme", message_id="<1@example.com>"))
    assert again == Accepted(job_id=first.job_id, repeated=True)
    assert core.accepted == 1
    other = await keep(core, judge(core, "acme", message_id="<2@example.com>"))
    assert other.job_id != first.job_id


async def test_mails_that_come_again_at_the_same_time_make_one_job(core):
    plans = [judge(core, "acme", message_id="<1@example.com>") for _ in range(8)]
    kept = await asyncio.gather(*(keep(core, plan) for plan in plans))
    assert len({one.job_id for one in kept}) == 1
    assert sum(not one.repeated for one in kept) == 1
    assert len(core.messages()) == 1


async def test_one_number_in_two_spellings_is_one_message(core):
    judged = judge(core, "acme", to=("+447700900101", "07700900101", "+447700900102"))
    assert [bool(message.duplicate_of) for message in judged.plan.messages] == [False, True, False]
    await keep(core, judged)
    assert [message.number for message in core.messages()] == ["447700900101", "447700900102"]


async def test_a_refused_recipient_of_a_kept_job_is_in_it_with_the_reason(core):
    await keep(core, judge(core, "acme", to=("+447700900101", "+4930123456")))
    assert [(message.state, message.reason) for message in core.messages()] == [
        ("queued", ""),
        ("rejected", "number-cannot-receive"),
    ]
    assert [job.open_messages for job in core.jobs()] == [1]


async def test_nothing_of_a_refused_plan_is_kept(core):
    judged = judge(core, "acme", to=("+4930123456",))
    answer = await keep(core, judged)
    assert isinstance(answer, Refused)
    assert answer.refusal is Refusal.NUMBER_CANNOT_RECEIVE
    assert core.jobs() == []


async def test_a_plan_made_with_an_older_address_book_is_not_kept(core):
    judged = judge(core, "acme")
    administer(core.folder, "customer set acme sender_id=Acme")
    assert isinstance(await keep(core, judged), SnapshotChanged)
    assert core.jobs() == []
    await core.book.refresh()
    assert isinstance(await keep(core, judge(core, "acme")), Accepted)
    assert [message.sender for message in core.messages()] == ["Acme"]


@pytest.mark.parametrize(
    ("error", "refusal"),
    [(StorageFullError("the disk is full"), Refusal.NO_STORAGE), (StorageError("it is away"), Refusal.INTERNAL)],
)
async def test_a_database_that_cannot_commit_defers_the_mail(error, refusal, core, monkeypatch):
    async def fail(*_):
        raise error

    monkeypatch.setattr(core.database, "write", fail)
    answer = await keep(core, judge(core, "acme"))
    assert isinstance(answer, Refused)
    assert answer.refusal is refusal
    assert core.accepted == 0


async def test_the_parts_of_one_message_share_a_reference_of_their_own(core):
    await keep(core, judge(core, "acme", "x" * 400, to=("+447700900101", "+447700900102")))
    udhs = [part.udh for part in take(core)]
    assert [udh[4:] for udh in udhs] == [bytes((3, index)) for index in (1, 2, 3)] * 2
    assert {udh[:3] for udh in udhs} == {b"\x05\x00\x03"}
    assert len({udh[3] for udh in udhs[:3]}) == len({udh[3] for udh in udhs[3:]}) == 1


@pytest.mark.parametrize(
    ("channel", "address", "url", "ways"),
    [
        ("mail", ANNA, "", [("mail", ANNA)]),
        ("mail", ANNA, URL, [("mail", ANNA)]),
        ("push", ANNA, URL, [("push", URL)]),
        ("push", ANNA, "", [("mail", ANNA)]),
        ("both", ANNA, URL, [("mail", ANNA), ("push", URL)]),
        ("both", ANNA, "", [("mail", ANNA)]),
        ("mail", "", URL, []),
        ("push", "", "", []),
        ("both", "", URL, [("push", URL)]),
    ],
)
def test_by_which_channels_a_sender_is_told(channel, address, url, ways):
    assert list(addressees(StatusChannel(channel), address, url)) == ways


@pytest.mark.parametrize(
    ("settings", "reverse_path", "report", "notices"),
    [
        ("", ANNA, "always", []),
        ("status_report=on-failure", ANNA, "on-failure", []),
        ("first_report=on", ANNA, "always", [(NoticeKind.ACCEPTED, ANNA)]),
        ("first_report=on status_report=never", ANNA, "never", [(NoticeKind.ACCEPTED, ANNA)]),
    ],
)
async def test_who_is_told_what_follows_the_settings(settings, reverse_path, report, notices, core):
    if settings:
        administer(core.folder, f"customer set acme {settings}")
        await core.book.refresh()
    await keep(core, judge(core, "acme", reverse_path=reverse_path))
    assert [job.report for job in core.jobs()] == [report]
    assert [(notice.kind, notice.recipient) for notice in core.outbox_rows()] == notices


@pytest.mark.parametrize(
    ("option", "settings", "told"),
    [
        ("[JOBPERIOD:{later}]", "", [ANNA]),
        ("[BLACKOUTPERIODS:{now}/{later}]", "", [ANNA]),
        ("[JOBPERIOD:{later}]", "status_report=never", [ANNA]),
        ("[JOBPERIOD:{later}]", "first_report=on", [ANNA]),
        ("[JOBPERIOD:{later}]", f"status_channel=both push_url={URL}", [ANNA]),
        ("[JOBPERIOD:{later}]", f"status_channel=push push_url={URL}", []),
        ("[JOBPERIOD:{now}]", "", []),
        ("[BLACKOUTPERIODS:{later}/{latest}]", "", []),
    ],
)
async def test_who_asks_for_a_time_is_told_of_it_by_mail(option, settings, told, core):
    if settings:
        administer(core.folder, f"customer set acme {settings}")
        await core.book.refresh()
    now = core.clock.now()
    days = {"now": now, "later": now + timedelta(days=1), "latest": now + timedelta(days=2)}
    option = option.format(**{name: instant.isoformat() for name, instant in days.items()})
    await keep(core, judge(core, "acme", subject=f"{option} Gate 4"))
    assert [(notice.kind, notice.recipient) for notice in core.outbox_rows()] == [
        (NoticeKind.ACCEPTED, one) for one in told
    ]


@pytest.mark.parametrize(
    ("subject", "settings", "told"),
    [
        ("Gate 4", "", [ANNA]),
        ("Gate 4", "first_report=on", []),
        ("Gate 4", f"status_channel=push push_url={URL}", []),
        ("[JOBPERIOD:2999-01-01T08:00Z] Gate 4", "subject_options=on", []),
    ],
)
async def test_who_is_told_of_no_time_at_once_is_told_where_a_rate_puts_sms_off(subject, settings, told, core):
    if settings:
        administer(core.folder, f"customer set acme {settings}")
        await core.book.refresh()
    subject = subject.replace("2999-01-01T08:00Z", (core.clock.now() + timedelta(days=1)).isoformat())
    job = judge(core, "acme", subject=subject).plan.job
    assert job is not None
    assert [(kind, address) for kind, (_, address) in job.late_notices] == [(NoticeKind.ACCEPTED, one) for one in told]


@pytest.mark.parametrize(
    ("report_format", "notify", "wanted"),
    [("dsn", "SUCCESS,FAILURE", 1), ("dsn", "FAILURE", 0), ("dsn", "NEVER", 0), ("html", "SUCCESS", 0)],
)
async def test_a_dsn_on_success_needs_the_networks_receipt(report_format, notify, wanted, core):
    administer(core.folder, f"customer set acme report_format={report_format}")
    await core.book.refresh()
    await keep(core, judge(core, "acme", sender=BOB, notify=notify))
    assert [(message.receipt_wanted, message.notify) for message in core.messages()] == [(wanted, notify)]


def test_a_number_that_was_judged_before_is_judged_anew_under_new_constraints(core):
    def refusal(customer):
        message = judge(core, customer, sender=ANNA if customer == "acme" else "a@rival.example.com").plan.messages[0]
        return message.refused and message.refused.refusal

    assert [refusal("acme"), refusal("acme")] == [None, None]
    administer(core.folder, "customer limit acme --countries DE")
    core.book.load_now()
    assert [refusal("acme"), refusal("rival"), refusal("acme")] == [
        Refusal.COUNTRY_NOT_ALLOWED,
        None,
        Refusal.COUNTRY_NOT_ALLOWED,
    ]
    administer(core.folder, "customer limit acme --countries any")
    core.book.load_now()
    assert refusal("acme") is None


async def test_the_parts_of_a_text_have_one_reference_and_each_recipient_another(core):
    kept = await keep(core, judge(core, "acme", "x" * 400, to=tuple(f"+4477009001{n:02}" for n in range(20))))
    assert isinstance(kept, Accepted)
    parts = take(core)
    assert all(part.udh == bytes((5, 0, 3, part.reference, part.total, part.index)) for part in parts)
    references = {part.message_key: part.reference for part in parts}
    assert all(part.reference == references[part.message_key] for part in parts)
    assert len(references) == 20
    assert len(set(references.values())) > 10


async def test_an_option_that_is_switched_off_is_kept_with_the_job(core):
    administer(core.folder, "profile set ops --customer acme subject_options=off")
    await core.book.refresh()
    await keep(core, judge(core, "acme", subject="[JOBPERIOD:tomorrow] [EXTERN] Gate 4 [DRYRUN]"))
    administer(core.folder, "profile set ops --customer acme subject_options=on")
    (job,) = core.jobs()
    (report,) = core.database.read_now(lambda tx: load_reports(tx, [job.key])).values()
    assert report.ignored_options == ("[JOBPERIOD:tomorrow]", "[DRYRUN]")
