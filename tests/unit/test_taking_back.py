"""A sender takes a job back by mail: its own one, proven as for sending, and nobody else's."""

from datetime import timedelta

import pytest

from gateway.accept import Accepted, SnapshotChanged
from gateway.taking_back import TakenBack
from mta.intake import Disposition
from mta.recipients import TargetKind, read_target
from sms.outcome import Done, Refusal, Refused
from store.answers import CarrierAnswer, Rules
from store.batches import in_lists
from store.due import Take
from store.engine.keys import to_stored
from store.results import ResultStore
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, BOB, administer, judge, open_core

MAX = "max@rival.example.com"
ONE, TWO = "+447700900101", "+447700900102"


@pytest.fixture(scope="module")
def core(module_house):
    core = open_core(module_house)
    yield core
    core.database.close()


async def keep(core, text=" ", *, customer="acme", sender=ANNA, **fields) -> str:
    judged = judge(core, customer, text, sender=sender, **fields)
    assert judged.verdict is Disposition.SEND, judged.refused
    kept = await core.acceptance.keep(judged.plan)
    assert isinstance(kept, Accepted)
    return kept.job_id


async def schedule(core, **fields) -> str:
    start = core.clock.now() + timedelta(days=1)
    return await keep(core, subject=f"[JOBPERIOD:{start.isoformat()}] Gate 4", **fields)


def ask(core, job, *, customer="acme", sender=ANNA, to=(), **fields):
    return judge(core, customer, " ", to=(f"cancel+{job}", *to), sender=sender, **fields)


async def take_back(core, job, **fields):
    judged = ask(core, job, **fields)
    assert judged.verdict is Disposition.CANCEL, judged.refused
    assert core.taking_back.look_now(judged.cancel) is not None
    return await core.taking_back.take(judged.cancel)


def states(core, job):
    return [message.state for message in core.messages(job)]


def kinds(core, job):
    return [row.kind for row in core.outbox_rows(job_key=core.job(job).key)]


def submit(core, number):
    """Have the sandbox take what is due for a number, as dispatch does."""
    now = to_stored(core.clock.now())
    take = Take(carrier="sandbox", routes=("sandbox",), most_parts=100, now=now, owner="me")
    parts = [part for part in core.database.write_now(core.outbound.take, take) if part.number.e164 == number]
    answers = [
        CarrierAnswer(part_key=part.part_key, carrier="sandbox", outcome=Done(reference=str(part.part_key)), at=now)
        for part in parts
    ]
    core.database.write_now(in_lists(ResultStore(core.keys, Rules()).settle), answers)


def change(core, sql, *values):
    """Change what is stored behind the gateway's back."""
    core.database.write_now(lambda tx, calls: [tx.execute(sql, values) for _ in calls], None)


async def test_what_waits_is_cancelled_for_the_user_who_sent_it_and_reported(core):
    job = await schedule(core, to=(ONE, TWO))
    assert kinds(core, job) == ["accepted"]
    taken = await take_back(core, job)
    assert taken == TakenBack(job=job, cancelled=2)
    assert str(taken) == f"{job}: 2 SMS cancelled"
    assert states(core, job) == ["cancelled", "cancelled"]
    assert kinds(core, job) == ["accepted", "result"]
    (line,) = core.audit(target=job)
    assert (line.who, line.action, line.detail) == (ANNA, "queue.cancel", "cancelled 2, asked 0")
    assert line.customer_key == core.job(job).customer_key


async def test_a_repeat_of_the_mail_is_told_that_it_is_done(core):
    job = await schedule(core)
    await take_back(core, job)
    again = await take_back(core, job)
    assert str(again) == f"{job}: cancelled before"
    assert kinds(core, job) == ["accepted", "result"]
    assert len(core.audit(target=job)) == 1


async def test_an_address_that_is_no_user_takes_its_own_job_back(core):
    job = await schedule(core, sender=BOB)
    raw = mail(" ", sender="Bob <BOB@ACME.example.com>")
    assert await take_back(core, job.upper(), raw=raw, sender=BOB) == TakenBack(job=job, cancelled=1)


@pytest.mark.parametrize(
    ("of", "by"), [(("acme", ANNA), ("acme", BOB)), (("acme", BOB), ("acme", ANNA)), (("rival", MAX), ("acme", ANNA))]
)
async def test_everybody_elses_job_is_answered_as_one_that_there_is_not(core, of, by):
    job = await keep(core, "Gate 4", customer=of[0], sender=of[1])
    unknown = f"{job[:-1]}{'b' if job.endswith('a') else 'a'}"
    refused = await take_back(core, job, customer=by[0], sender=by[1])
    nothing = await take_back(core, unknown, customer=by[0], sender=by[1])
    assert (refused.refusal, nothing.refusal) == (Refusal.ADDRESS_UNKNOWN, Refusal.ADDRESS_UNKNOWN)
    assert refused.detail.replace(job, "") == nothing.detail.replace(unknown, "")
    assert states(core, job) == ["queued"]


async def test_who_may_not_send_as_its_author_may_not_cancel(core):
    job = await schedule(core)
    for customer in ("rival", "demo", "gone"):
        assert ask(core, job, customer=customer).refused.refusal is Refusal.SENDER_NOT_AUTHORISED
    assert ask(core, job, sender="anna@elsewhere.example.org").refused.refusal is Refusal.SENDER_NOT_AUTHORISED


@pytest.mark.parametrize(
    "mark",
    [
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "List-Id: <staff.acme.example.com>",
        "X-Autoreply: yes",
        "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
        "In-Reply-To: <st.N.1@gateway.example.net>\r\nSubject: Automatische Antwort: SMS",
        "Subject: Out of office",
    ],
)
def test_a_machine_never_cancels(core, mark):
    raw = mail(" ", sender=ANNA)
    head, _, rest = raw.partition(b"\r\n")
    name = mark.partition(":")[0].lower().encode()
    kept = b"\r\n".join(line for line in rest.split(b"\r\n") if not line.lower().startswith((name + b":", b"subject:")))
    judged = ask(core, "J.20261201-080000.000-abcdefghij", raw=mark.encode() + b"\r\n" + head + b"\r\n" + kept)
    assert judged.verdict in {Disposition.DROP, Disposition.REFUSE}


def test_a_null_sender_never_cancels(core):
    judged = ask(core, "J.20261201-080000.000-abcdefghij", reverse_path="")
    assert judged.verdict in {Disposition.DROP, Disposition.REFUSE}


@pytest.mark.parametrize("more", [ONE, "lista+crew", "cancel+J.20261201-080000.000-abcdefghij"])
async def test_a_mail_cancels_one_job_or_sends(core, more):
    job = await schedule(core)
    assert ask(core, job, to=(more,)).refused.refusal is Refusal.ADDRESS_MALFORMED
    assert states(core, job) == ["queued"]


async def test_of_what_was_sent_only_the_rest_is_cancelled_and_then_it_is_too_late(core):
    job = await keep(core, "Gate 4", to=("+447700900201", "+447700900202"))
    change(core, "UPDATE message SET due_at = due_at + 86400000000 WHERE key = ?", core.messages(job)[1].key)
    submit(core, "+447700900201")
    assert states(core, job) == ["submitted", "queued"]
    taken = await take_back(core, job)
    assert taken == TakenBack(job=job, cancelled=1, late=1)
    assert str(taken) == f"{job}: 1 SMS cancelled, too late for 1"
    assert str(await take_back(core, job)) == f"{job}: cancelled before, too late for 1"
    late = await keep(core, "Gate 5", to=("+447700900203",))
    submit(core, "+447700900203")
    refused = await take_back(core, late)
    assert (refused.refusal, refused.detail) == (Refusal.TOO_LATE, f"nothing of job {late} waits any more")


async def test_a_carrier_that_offers_it_is_asked_for_what_it_has(core):
    job = await keep(core, "Gate 4 [x]", to=("+447700900204",), notify="SUCCESS")
    change(core, "UPDATE message SET receipt_wanted = ? WHERE key = ?", True, core.messages(job)[0].key)
    submit(core, "+447700900204")
    assert await take_back(core, job) == TakenBack(job=job, asked=1)
    assert [request.message_key for request in core.cancel_requests()] == [core.messages(job)[0].key]


async def test_a_cancelled_job_is_reported_though_no_report_was_wanted(core):
    job = await schedule(core, sender=BOB)
    change(core, "UPDATE job SET report = 'never' WHERE key = ?", core.job(job).key)
    await take_back(core, job, sender=BOB)
    assert kinds(core, job) == ["accepted", "result"]


async def test_a_sender_proven_by_an_older_directory_is_proven_again(core):
    job = await schedule(core)
    judged = ask(core, job)
    administer(core.folder, f"user name {ANNA} Anna")
    assert isinstance(await core.taking_back.take(judged.cancel), SnapshotChanged)
    assert states(core, job) == ["queued"]
    core.book.load_now()


@pytest.mark.parametrize(
    ("local", "job"),
    [
        ("cancel+J.20261201-080000.000-abcdefghij", "J.20261201-080000.000-abcdefghij"),
        ("CANCEL+j.20261201-080000.000-ABCDEFGHIJ", "J.20261201-080000.000-abcdefghij"),
        ('"cancel+J.20261201-080000.000-abcdefghij"', "J.20261201-080000.000-abcdefghij"),
        ('"cancel J.20261201-080000.000-abcdefghij"', "J.20261201-080000.000-abcdefghij"),
        ("cancel-J.20261201-080000.000-abcdefghij", "J.20261201-080000.000-abcdefghij"),
        ("cancel+", ""),
        ("cancel+J", ""),
        ("cancel+S.20261201-080000.000-abcdefghij", ""),
        ("cancel+J.20261201-080000.000-abcdefghij'--", ""),
        ("cancel+447700900101", ""),
        ("explain+cancel+J.20261201-080000.000-abcdefghij", ""),
    ],
)
def test_the_address_is_read_in_any_case_and_names_a_job(local, job):
    found = read_target(f"{local}@SMS.example.net", ())
    if job:
        assert not isinstance(found, Refused)
        assert (found.kind, found.name) == (TargetKind.CANCEL, job)
    else:
        assert isinstance(found, Refused)
