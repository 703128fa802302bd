"""Mails to lists and with tables, dry runs, starts and duplicates, from the mail to the stored job."""

import json
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from gateway.accept import Accepted
from mta.intake import Disposition
from sms.lifecycle import MessageState
from sms.outcome import Refusal, Refused
from sms.report import NoticeKind
from store.views import find_job, load_reports
from tests.kit.installation import mail
from tests.kit.store_harness import take_due
from tests.kit.testbed import ANNA, BOB, administer, judge, open_core

MEMBERS = "number;First Name;amount\n+447700900101;ANNA;12\n07700 900102;Bob;7\n+44 7700 900101;again;0\n"


@pytest.fixture
def core(house, tmp_path):
    (tmp_path / "members.csv").write_text(MEMBERS)
    for line in (
        f"list add Crew --customer acme --author {ANNA}",
        f"list import crew {tmp_path / 'members.csv'} --customer acme",
        "list add empty --customer acme --author *",
    ):
        administer(house.server.data_dir, line)
    core = open_core(house)
    yield core
    core.database.close()


def texts(judgement) -> dict[str, str]:
    plan = judgement.plan
    return {message.number.e164: plan.encoded_of(message).text for message in plan.messages if message.number}


async def keep(core, judgement):
    kept = await core.acceptance.keep(judgement.plan)
    assert isinstance(kept, Accepted), kept
    return kept.job_id


def report(core, job_id):
    def load(tx):
        key = find_job(tx, job_id)
        assert key is not None
        return load_reports(tx, [key])[key]

    return core.database.read_now(load)


def with_table(text: str, table: str, *, name: str = "people.csv", to: str = "bulk", more=()) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = ANNA, f"{to}@sms.example.net", "<t1@example.com>"
    message.set_content(text)
    for content, file in [(table, name), *more]:
        message.add_attachment(content.encode(), maintype="application", subtype="vnd.ms-excel", filename=file)
    return message.as_bytes(policy=SMTP)


def test_a_list_mail_reaches_every_member_once_with_its_own_values(core):
    judged = judge(core, "acme", "Dear {{ first_name|title }}: {{ amount }} EUR", to=["lista+crew"])
    assert judged.verdict is Disposition.SEND, judged.refused
    assert texts(judged) == {"+447700900101": "Dear Anna: 12 EUR", "+447700900102": "Dear Bob: 7 EUR"}
    assert judged.lists == ("Crew",)


def test_without_placeholders_all_members_get_one_text(core):
    judged = judge(core, "acme", "Meeting at 5", to=["LISTA+CREW", "+447700900102"])
    assert judged.plan.encoded.text == "Meeting at 5"
    assert [message.duplicate_of for message in judged.plan.messages] == ["", "", "+447700900102@sms.example.net"]


@pytest.mark.parametrize(
    ("customer", "sender", "to", "refusal"),
    [
        ("acme", BOB, "lista+crew", Refusal.SENDER_NOT_AUTHORISED),
        ("acme", ANNA, "lista+nobody", Refusal.ADDRESS_UNKNOWN),
        ("acme", ANNA, "lista+empty", Refusal.ADDRESS_UNKNOWN),
        ("rival", "max@rival.example.com", "lista+crew", Refusal.ADDRESS_UNKNOWN),
    ],
)
def test_a_list_takes_mail_of_its_authors_only(core, customer, sender, to, refusal):
    judged = judge(core, customer, "Hi", to=[to], sender=sender)
    assert (judged.verdict, judged.refused.refusal) == (Disposition.REFUSE, refusal)


def test_at_rcpt_an_unknown_list_is_refused_and_a_known_one_waits_for_the_author(core):
    from tests.kit.testbed import proven

    acme = proven(core, "acme")
    unknown = core.judge.judge_recipient(acme, ANNA, "lista+nobody@sms.example.net")
    assert isinstance(unknown, Refused)
    assert unknown.refusal is Refusal.ADDRESS_UNKNOWN
    assert core.judge.judge_recipient(acme, BOB, "lista+crew@sms.example.net") is None
    assert core.judge.judge_recipient(acme, BOB, "bulk@sms.example.net") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dear {{ surname }}", "there is no column surname; the columns are amount, first_name, number"),
        ("Dear {{ first_name", "has no end"),
        ("Dear {{ first_name.x }}", "a placeholder is"),
    ],
)
def test_a_text_that_cannot_be_filled_is_refused_with_the_reason(core, text, said):
    judged = judge(core, "acme", text, to=["lista+crew"])
    assert judged.refused.refusal is Refusal.TEMPLATE_INCOMPLETE
    assert said in judged.refused.detail


def test_a_placeholder_that_nothing_fills_is_refused_with_the_ways_to_fill_it(core):
    judged = judge(core, "acme", "Hello {{ name }}, gate 4")
    assert (judged.verdict, judged.refused.refusal) == (Disposition.REFUSE, Refusal.TEMPLATE_INCOMPLETE)
    assert judged.refused.detail == (
        "{{ name }} stands for a value, and this mail has none: attach a table (CSV or XLSX) and write to"
        " bulk@sms.example.net, or to a list, or leave the braces out"
    )
    assert texts(judge(core, "acme", "Gate 4 {{")) == {"+447700900101": "Gate 4 {{"}


def test_an_alert_with_a_placeholder_is_sent_as_it_is(core):
    raw = b"Auto-Submitted: auto-generated\r\n" + mail("{{ instance }} is down", sender=ANNA)
    assert texts(judge(core, "acme", raw=raw)) == {"+447700900101": "{{ instance }} is down"}


def test_a_plain_number_beside_a_personalised_list_refuses_the_whole_mail(core):
    judged = judge(core, "acme", "Dear {{ first_name }}", to=["lista+crew", "+447700900109"])
    assert judged.verdict is Disposition.REFUSE
    assert [fault.row for fault in judged.plan.faults] == ["+447700900109"]


def test_a_lists_settings_are_stronger_than_the_senders_and_weaker_than_the_mails(core):
    administer(core.folder, "list set crew --customer acme cost_centre=crew max_parts=1")
    core.book.load_now()
    judged = judge(core, "acme", "Hi", to=["lista+crew"], subject="[MAXPARTS:2]")
    assert (judged.resolved.settings.cost_centre, judged.resolved.settings.max_parts) == ("crew", 2)
    assert judged.resolved.explained["cost_centre"].layer == "list"
    assert judge(core, "acme", "Hi").resolved.settings.cost_centre == "anna"


async def test_a_list_that_changes_before_the_commit_makes_the_plan_stale(core, tmp_path):
    from gateway.accept import SnapshotChanged

    judged = judge(core, "acme", "Hi", to=["lista+crew"])
    administer(core.folder, f"list authors crew --customer acme --remove {ANNA}")
    assert isinstance(await core.acceptance.keep(judged.plan), SnapshotChanged)
    await core.book.refresh()
    assert judge(core, "acme", "Hi", to=["lista+crew"]).verdict is Disposition.REFUSE


TABLE = "phone,name\n+447700900101,Anna\n07700900102,Bob\n"


def test_an_attached_table_brings_recipients_and_values(core):
    judged = judge(core, "acme", to=["bulk"], raw=with_table("Hi {{ name }}", TABLE))
    assert judged.verdict is Disposition.SEND, judged.refused
    assert texts(judged) == {"+447700900101": "Hi Anna", "+447700900102": "Hi Bob"}


@pytest.mark.parametrize(
    ("text", "table", "refusal", "rows"),
    [
        ("Hi {{ name }}", "phone,name\n+447700900101,Anna\n07700900102,\n", Refusal.TEMPLATE_INCOMPLETE, ["line 3"]),
        ("Hi {{ name }}", "phone,name\n+44770090,Anna\n+447700900102,B\n+447700900103,\n", Refusal.NUMBER_IMPOSSIBLE, ["line 2", "line 4"]),
        ("Hi", "phone,name\nabc,Anna\n+447700900102,B\n", Refusal.NUMBER_MALFORMED, ["line 2"]),
        ("{{ name }}", "phone,name\n+447700900101,Anna\n+447700900102,+\n,x\n", Refusal.NUMBER_MALFORMED, ["line 4"]),
    ],
)  # fmt: skip
def test_one_bad_row_refuses_all_and_is_named(core, text, table, refusal, rows):
    judged = judge(core, "acme", to=["bulk"], raw=with_table(text, table))
    assert (judged.verdict, judged.refused.refusal) == (Disposition.REFUSE, refusal)
    assert [fault.row.partition(" (")[0] for fault in judged.plan.faults] == rows
    assert all(row in judged.refused.detail for row in rows)


def test_overlong_rows_are_cut_or_refused_as_the_settings_say(core):
    table = f"phone,name\n+447700900101,Anna\n+447700900102,{'x' * 500}\n"
    judged = judge(core, "acme", to=["bulk"], raw=with_table("Hi {{ name }}", table))
    assert judged.verdict is Disposition.SEND
    assert [len(judged.plan.encoded_of(message).lengths) for message in judged.plan.messages] == [1, 3]
    administer(core.folder, "customer set acme overlong=refuse")
    core.book.load_now()
    judged = judge(core, "acme", to=["bulk"], raw=with_table("Hi {{ name }}", table))
    assert judged.refused.refusal is Refusal.TOO_MANY_PARTS
    assert "line 3" in judged.refused.detail
    assert judge(core, "acme", "x" * 500).refused.refusal is Refusal.TOO_MANY_PARTS


@pytest.mark.parametrize(
    ("raw", "to", "said"),
    [
        (with_table("Hi", TABLE, name="x.png"), ["bulk"], "attach one CSV or XLSX"),
        (with_table("Hi", TABLE, more=[(TABLE, "b.csv")]), ["bulk"], "not 2"),
        (with_table("Hi", "a,b\n1\n"), ["bulk"], "not 2 columns"),
        (with_table("Hi", TABLE), ["bulk", "+447700900109"], "bulk@ alone"),
    ],
)
def test_a_mail_for_a_table_without_a_usable_one_is_refused(core, raw, to, said):
    judged = judge(core, "acme", to=to, raw=raw)
    assert judged.verdict is Disposition.REFUSE
    assert said in judged.refused.detail


async def test_a_dry_run_is_kept_as_a_job_that_is_never_sent_and_answered_with_what_would_be(core):
    judged = judge(core, "acme", "Grüße “an” alle", to=["explain+447700900101", "EXPLAIN+lista+crew"])
    assert judged.plan.submission.dry_run
    job = await keep(core, judged)
    told = report(core, job)
    assert [message.state for message in told.messages] == [MessageState.CANCELLED] * 2
    assert told.messages[0].problem == "sandbox"
    (notice,) = core.database.write_now(outbox(core), take_due(1 << 60))
    assert (notice.kind, notice.recipient) == (NoticeKind.DRY_RUN, ANNA)
    assert await keep(core, judge(core, "acme", "Grüße “an” alle", to=["447700900101"])) != job


def outbox(core):
    from store.outbox import Outbox

    return Outbox(core.keys).take


@pytest.mark.parametrize("to", [["explain+447700900101", "447700900102"], ["explain+bulk", "447700900102"]])
def test_a_mail_is_a_dry_run_as_a_whole_or_not_at_all(core, to):
    assert judge(core, "acme", "Hi", to=to).refused.refusal is Refusal.OPTION_MALFORMED


def test_the_subject_can_ask_for_a_dry_run_of_all(core):
    judged = judge(core, "acme", "Hi", to=["447700900102", "lista+crew"], subject="[DRYRUN]")
    assert judged.plan.submission.dry_run


async def test_start_blackouts_and_reference_of_the_subject_are_kept(core):
    start = core.clock.now().replace(microsecond=0) + timedelta(days=2)
    end = start + timedelta(hours=3)
    subject = f"[JOBPERIOD:{start.isoformat()}] [BLACKOUTPERIODS:{start.isoformat()}/{end.isoformat()}] [CUSTOMERREF:PO-7] [BC:4711] [VALIDITY:2]"
    judged = judge(core, "acme", "Hi", subject=subject)
    assert judged.verdict is Disposition.SEND, judged.refused
    schedule = judged.plan.schedule
    assert (schedule.due_at, schedule.expires_at) == (end, end + timedelta(hours=2))
    told = report(core, await keep(core, judged))
    assert (told.reference, told.settings.cost_centre) == ("PO-7", "4711")
    (message,) = core.messages()
    assert message.due_at == int(end.timestamp() * 1_000_000)
    assert len(json.loads(message.blackouts)) == 1


def test_a_start_more_than_a_year_ahead_is_refused(core):
    judged = judge(core, "acme", "Hi", subject="[JOBPERIOD:2040-01-01T00:00:00Z]")
    assert judged.refused.refusal is Refusal.OPTION_MALFORMED
    assert "year" in judged.refused.detail


async def test_duplicate_detection_refuses_the_second_mail_and_names_the_first_job(core):
    first = await keep(
        core, judge(core, "acme", "Fire!", subject="[DUPLICATEDETECTION:ON]", message_id="<1@example.com>")
    )
    again = judge(core, "acme", "Fire!", subject="[DUPLICATEDETECTION:ON]", message_id="<2@example.com>")
    refused = await core.acceptance.keep(again.plan)
    assert refused.refusal is Refusal.DUPLICATE
    assert first in refused.detail
    other = judge(core, "acme", "Fire!", subject="[DUPLICATEDETECTION:OFF]", message_id="<3@example.com>")
    assert await keep(core, other) != first


async def test_a_repeated_mail_makes_a_job_for_new_recipients_only(core):
    first = await keep(core, judge(core, "acme", "Hi", message_id="<1@example.com>"))
    assert await keep(core, judge(core, "acme", "Hi", message_id="<1@example.com>")) == first
    more = await keep(
        core, judge(core, "acme", "Hi", to=["+447700900101", "+447700900103"], message_id="<1@example.com>")
    )
    assert more != first
    assert [message.number for message in report(core, more).messages] == ["+447700900103"]


async def test_without_a_message_id_only_the_lines_of_relays_may_differ(core):
    from tests.kit.installation import mail

    raw = mail("Hi", sender=ANNA)
    first = await keep(core, judge(core, "acme", raw=b"Received: from a.example\r\n by b; now\r\n" + raw))
    assert await keep(core, judge(core, "acme", raw=b"Received: from c.example\r\n by d; later\r\n" + raw)) == first
    assert await keep(core, judge(core, "acme", raw=b"X-Other: 1\r\n" + raw)) != first
