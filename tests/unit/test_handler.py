"""The hooks that a mail passes: who is proven, what MAIL, RCPT and DATA answer, and that 250 is said after the commit."""

import asyncio
import re
import shutil
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from addressbook.senders import Principal
from gateway.limits import DiskReserve, Rate
from mta.handler import MailHandler
from mta.identify import ListenerTerms
from mta.intake_pool import IntakePool
from mta.mechanisms import SessionProofs
from mta.reading.confined_reader import ReaderUnavailableError
from mta.repeats import Repeats
from mta.smtp.engine.events import Data, Mail, Rcpt
from mta.smtp.server.hooks import Hooks, MailDsn, MailEnvelope, MailSession, RcptDsn
from mta.smtp.server.quotas import ClientLimits, CustomerLimits, CustomerQuotas, Quotas, SessionQuota
from mta.smtp.server.server import offer_passwords
from store.dropped import find_dropped
from store.engine.database import StorageFullError
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, BOB, administer, open_core, proven

OURS, THEIRS = ("192.0.2.7", 4711), ("203.0.113.9", 4711)


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


def proofs_of(core, authenticator: Any = None, tokens: Any = None) -> SessionProofs:
    return SessionProofs(lambda: core.book.current.directory, core.clock, authenticator, tokens)


def handler(core, **changes) -> MailHandler:
    parts = {
        "judge": core.judge,
        "repeats": Repeats(core.acceptance),
        "dropped": core.dropped,
        "taking_back": core.taking_back,
        "book": core.book,
        "disk": SimpleNamespace(enough=lambda: True),
        "terms": ListenerTerms(),
        "sessions": proofs_of(core),
    }
    parts |= {"reading": IntakePool(core.judge)} | changes
    return MailHandler(**parts)


async def session(core, *, peer=OURS, customer: str = ""):
    made: Any = MailSession(asyncio.get_running_loop())
    made.peer, made.host_name = peer, "client.example.com"
    if customer:
        made.authenticated = True
        made.auth_data = Principal(customer_id=proven(core, customer).customer_id, login="x")
    return made


async def converse(door: MailHandler, who: MailSession, raw: bytes = b"", *, sender: str = ANNA, to=("+447700900101",)):
    """Play MAIL, RCPT and DATA as the server does; returns the replies' codes up to the first that is no 250, and the last reply."""
    envelope = MailEnvelope()
    envelope.dsn, envelope.content = MailDsn(envid="e1", ret="HDRS"), raw or mail("Hello", sender=sender, to=to)
    reply = await door.handle_MAIL(None, who, envelope, sender, [])
    if not reply.startswith("250"):
        return reply
    for number in to:
        envelope.rcpt_dsn.append(RcptDsn(notify="FAILURE"))
        reply = await door.handle_RCPT(None, who, envelope, f"{number}@sms.example.net", [])
        if not reply.startswith("250"):
            return reply
    return await door.handle_DATA(None, who, envelope)


async def test_a_mail_is_answered_with_its_job_after_the_commit(core):
    reply = await converse(handler(core), await session(core))
    found = re.fullmatch(r"250 2\.0\.0 (J\.\S+) kept", reply)
    assert found
    assert [(job.public_id, job.envid, job.ret, job.helo) for job in core.jobs()] == [
        (found[1], "e1", "HDRS", "client.example.com")
    ]
    assert [message.notify for message in core.messages()] == ["FAILURE"]


@pytest.mark.parametrize(
    ("peer", "login", "sender", "code"),
    [
        (OURS, "", ANNA, "250"),
        (OURS, "required", ANNA, "530"),
        (THEIRS, "", ANNA, "530"),
        (THEIRS, "acme", BOB, "250"),
        (OURS, "rival", ANNA, "550"),
        (("198.51.100.1", 1), "", "x@gone.example.com", "530"),
        (None, "", ANNA, "530"),
        ("/run/a-socket", "", ANNA, "530"),
    ],
)
async def test_who_is_proven_may_send(peer, login, sender, code, core):
    door = handler(core, terms=ListenerTerms(by_login_only=bool(login)))
    customer = "" if login == "required" else login
    reply = await converse(door, await session(core, peer=peer, customer=customer), sender=sender)
    assert reply[:3] == code


async def test_a_login_counts_more_than_the_address(core):
    door, who = handler(core), await session(core, customer="rival")
    assert door.principal(who) == replace(proven(core, "rival"), login="x")


@pytest.mark.parametrize("client", ["192.0.2.7", "::ffff:192.0.2.7", "fe80::1%eth0", "not an address", ""])
def test_an_address_proves_its_customer_or_nobody(client, core):
    found = core.book.current.prove_by_address(client)
    assert found == (proven(core, "acme") if client.endswith("192.0.2.7") else None)


async def test_sender_recipients_and_the_start_of_a_content_are_answered_without_a_task_each(core):
    assert Hooks(handler(core), None, structlog.get_logger(), offer_passwords).answered_at_once >= {Mail, Rcpt, Data}


async def test_a_refused_recipient_and_a_refused_mail_have_their_replies(core):
    who = await session(core)
    assert (await converse(handler(core), who, to=("+4930123456",))).startswith("550 5.1.1 ")
    assert (await converse(handler(core), who, mail(" ", sender=ANNA))).startswith("554 5.6.1 ")


async def test_a_bounce_is_taken_and_leaves_a_trace_that_is_committed_before_the_answer(core):
    raw = mail("Returned", sender="mailer-daemon@example.org", message_id="<b1@example.org>")
    reply = await converse(handler(core), await session(core), raw, sender="<>")
    found = re.fullmatch(r"250 2\.0\.0 (D\.[0-9]+) taken, not sent: bounce by From: MAILER-DAEMON, .*", reply)
    assert found
    assert core.jobs() == []
    for name in (found[1], "<b1@example.org>"):
        trace = core.database.read_now(partial(find_dropped, name=name))
        assert trace is not None
        assert (trace.public_id, trace.customer, trace.client) == (found[1], "acme", OURS[0])
        assert (trace.reason, trace.header_from, trace.reverse_path) == ("bounce", "mailer-daemon@example.org", "")


async def test_what_cannot_be_traced_is_not_taken(core):
    core.database.write = raises(StorageFullError("no room"))
    reply = await converse(
        handler(core), await session(core), mail("Returned", sender="mailer-daemon@example.org"), sender="<>"
    )
    assert reply.startswith("452 4.3.1")


async def test_an_alert_with_a_null_sender_is_sent_and_nobody_is_told(core):
    raw = mail("Disk full", sender=ANNA).replace(b"Subject:", b"List-Id: <alerts.example.com>\r\nSubject:", 1)
    assert (await converse(handler(core), await session(core), raw, sender="<>")).endswith(" kept")
    assert [(job.report, job.reverse_path) for job in core.jobs()] == [("never", "")]


async def test_a_mail_that_goes_round_is_refused_as_such(core):
    raw = b"Received: from a by b\r\n" * 101 + mail("Hello", sender=ANNA)
    assert (await converse(handler(core), await session(core), raw)).startswith("554 5.4.6 Mail loop detected: ")


async def test_automatic_mail_is_refused_with_its_mark_where_the_customer_wants_none(core):
    administer(core.folder, "customer set acme automatic_mail=off")
    raw = mail("Disk full", sender=ANNA).replace(b"Subject:", b"Auto-Submitted: auto-generated\r\nSubject:", 1)
    reply = await converse(handler(core), await session(core), raw)
    assert reply.startswith("550 5.7.1 Automatic mail is not sent here: ")
    assert reply.endswith("Auto-Submitted: auto-generated")
    assert (await converse(handler(core), await session(core))).startswith("250 ")


def raises(error):
    async def write(*_):
        raise error

    return write


async def test_a_change_of_the_address_book_between_rcpt_and_data_is_followed(core):
    door, who = handler(core), await session(core)
    refresh = core.book.refresh
    asked = []

    async def followed():
        asked.append(1)
        await refresh()

    core.book.refresh = followed
    administer(core.folder, "customer set acme sender_id=Acme")
    assert (await converse(door, who)).startswith("250")
    assert asked == [1]
    assert [message.sender for message in core.messages()] == ["Acme"]


@pytest.mark.parametrize(
    ("line", "sender", "to"),
    [
        ("list add crew --customer acme --author *", ANNA, "lista+crew"),
        (
            "customer add new --domain new.example.com --address-range 203.0.113.0/24",
            "x@new.example.com",
            "+447700900101",
        ),
    ],
)
async def test_a_permanent_no_never_comes_from_an_old_copy(line, sender, to, core):
    door = handler(core)
    who = await session(core, peer=THEIRS if sender != ANNA else OURS)
    assert (await converse(door, who, sender=sender, to=(to,)))[0] == "5"
    administer(core.folder, line)
    envelope = MailEnvelope()
    assert (await door.handle_MAIL(None, who, envelope, sender, [])).startswith("250")
    envelope.rcpt_dsn.append(RcptDsn())
    assert (await door.handle_RCPT(None, who, envelope, f"{to}@sms.example.net", [])).startswith("250")


async def test_what_the_database_cannot_confirm_is_refused_for_now(core):
    core.database.read = raises(OSError("away"))
    assert (await converse(handler(core), await session(core, peer=THEIRS))).startswith("451 4.3.0")
    assert (await converse(handler(core), await session(core), to=("lista+none",))).startswith("451 4.3.0")
    assert (await converse(handler(core), await session(core), mail(" ", sender=ANNA))).startswith("451 4.3.0")


async def test_one_look_at_the_database_serves_all_who_ask_before_it_begins(core):
    read, looks = core.database.read, []

    async def counted(query):
        looks.append(1)
        return await read(query)

    core.database.read = counted
    assert all(await asyncio.gather(*(core.book.confirm() for _ in range(50))))
    assert len(looks) <= 2


async def test_a_customer_that_was_switched_off_in_the_middle_sends_no_more(core):
    door, who = handler(core), await session(core)
    administer(core.folder, "customer disable acme")
    assert (await converse(door, who)).startswith("550 5.7.1 ")


async def test_below_the_disk_reserve_and_above_the_rate_mail_is_deferred(core):
    who = await session(core)
    full = handler(core, disk=SimpleNamespace(enough=lambda: False))
    assert (await converse(full, who)).startswith("452 4.3.1 ")
    who.quota = SessionQuota(Quotas(customers=CustomerQuotas(CustomerLimits(), mails=Rate(1))))
    assert (await converse(handler(core), who)).startswith("250 ")
    said = await converse(handler(core), who)
    assert said == "451 4.7.1 Rate limit reached, try again later: at most 1 mails of one customer in a minute"


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        (ClientLimits(recipients=1), "452 4.5.3 Too many recipients: at most 1 of a sender who has proven nothing yet"),
        (
            ClientLimits(recipients_per_minute=1),
            "451 4.7.1 Rate limit reached, try again later: at most 1 recipients of",
        ),
    ],
)
async def test_a_client_that_has_proven_nothing_names_few_recipients_and_a_customer_as_many_as_he_likes(
    core, limits, refusal
):
    for peer, told in ((OURS, "250 2.1.5 Recipient OK"), (("198.51.100.7", 40000), refusal)):
        who = await session(core, peer=peer)
        who.quota = SessionQuota(Quotas(limits), peer[0])
        door, envelope = handler(core, prover=SimpleNamespace(refuse_envelope=lambda *_: None)), MailEnvelope()
        assert (await door.handle_MAIL(None, who, envelope, ANNA, [])).startswith("250")
        for _ in range(2):
            said = await door.handle_RCPT(None, who, envelope, "447700900123@sms.example.net", [])
            envelope.rcpt_dsn += [RcptDsn()] * (len(envelope.rcpt_tos) - len(envelope.rcpt_dsn))
        assert said.startswith(told)


def test_a_rate_is_a_bucket_that_refills_steadily_and_is_each_customers_own():
    rate = Rate(60)
    assert [rate.take(1, 0.0) for _ in range(61)] == [True] * 60 + [False]
    assert rate.take(2, 0.0)
    assert not rate.take(1, 0.5)
    assert [rate.take(1, 2.0) for _ in range(3)] == [True, True, False]
    assert [Rate(0).take(1, 0.0) for _ in range(100)] == [True] * 100


def test_the_disk_is_asked_and_compared_with_the_reserve(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    assert DiskReserve(tmp_path, 0).enough()
    assert not DiskReserve(tmp_path, free * 2).enough()


async def test_a_mail_that_no_process_can_be_had_to_read_is_asked_for_again(core):
    async def judge(*_):
        raise ReaderUnavailableError("no more processes")

    reply = await converse(handler(core, reading=SimpleNamespace(judge=judge)), await session(core, customer="acme"))
    assert reply.startswith("451 4.3.0")
