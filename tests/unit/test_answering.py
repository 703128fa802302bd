"""An answer by mail: to whom it goes, from which number of ours, with whose settings, and what of the mail is said."""

import asyncio

import pytest

from cli.explain import shape
from countries.book import RuleBook
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.intake import Disposition
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused
from store.tables import OutboxRow
from tests.kit.conversing import (
    BLOCKED,
    DEDICATED,
    PHONE,
    RIVALS,
    SECOND,
    SHARED,
    SHORT,
    add_desk,
    add_numbers,
    converse,
    put,
    token,
)
from tests.kit.testbed import ANNA, BOB, administer, judge, open_core, proven

OTHER_PHONE = "447700900124"
DESK = "desk@acme.example.com"


@pytest.fixture(scope="module")
def core(module_house):
    for line in (
        "profile add desk --customer acme",
        "profile set desk --customer acme cost_centre=desk text_source=subject",
    ):
        administer(module_house.server.data_dir, line)
    core = open_core(module_house)
    asyncio.run(core.conversations.load())
    add_numbers(core)
    add_desk(core, "desk", DESK)
    yield core
    core.database.close()


def answered(judged):
    """Return to whom the SMS go and from which number of ours, None where it is that of the settings."""
    assert judged.verdict is Disposition.SEND, judged.refused
    return [
        (message.number.digits, message.sender_id.value if message.sender_id else None)
        for message in judged.plan.job.messages
    ]


def html(body, *, subject="Re: SMS", sender=ANNA, **fields):
    lines = [f"From: {sender}", "To: x@sms.example.net", f"Subject: {subject}", "MIME-Version: 1.0"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    lines += ["Content-Type: text/html; charset=utf-8", "", body]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("form", ["{}", '"{}"', '"SMTP:{}"', "smtp:{}", "mailto:{}", "@relay.example.net:{}"])
def test_a_reply_address_is_read_in_any_case_and_form(form, core):
    for local in (token(core), token(core).upper(), token(core).title()):
        address = f"{form.format(local)}@SMS.example.net"
        assert core.judge.judge_recipient(proven(core, "acme"), ANNA, address) == MobileNumber(digits=PHONE)


@pytest.mark.parametrize(("own", "shown"), [(DEDICATED, DEDICATED), (SHARED, SHARED), (SHORT, SHORT)])
def test_an_answer_goes_to_the_handset_from_the_number_that_it_wrote_to(own, shown, core):
    judged = judge(core, "acme", to=(token(core, own),))
    assert answered(judged) == [(PHONE, shown)]
    assert judged.plan.job.unanswerable == ""


def test_explain_shows_the_number_that_answers_as_the_sender_id_of_its_recipient(core):
    to = (token(core), "+447700900101")
    envelope = ReceivedEnvelope(reverse_path=ANNA, recipients=tuple(EnvelopeRecipient(address=item) for item in to))
    first, second = shape(judge(core, "acme", to=to), envelope, RuleBook({}))["recipients"]
    assert first["settings"]["sender_id"] == {
        "value": DEDICATED,
        "layer": "conversation",
        "origin": "the SMS answered",
    }
    assert second["settings"] == {}


def test_an_answer_leaves_by_a_carrier_of_the_number(core):
    judged = judge(core, "acme", to=(token(core, DEDICATED),))
    carriers = core.book.current.numbers.named(DEDICATED)[0].carriers
    assert [message.route for message in judged.plan.job.messages] == list(carriers)


@pytest.mark.parametrize(
    "change", [lambda text: text[:20] + ("a" if text[20] != "a" else "b") + text[21:], lambda text: text + "aa"]
)
def test_a_forged_reply_address_is_refused_at_rcpt(change, core):
    refused = core.judge.judge_recipient(proven(core, "acme"), ANNA, f"{change(token(core))}@sms.example.net")
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.ADDRESS_UNKNOWN
    assert "reply address" in refused.detail


def test_the_reply_address_of_another_customer_is_refused_as_a_forged_one(core):
    forged = token(core)[:-4]
    foreign = token(core, RIVALS, customer="rival")
    first, second = (
        core.judge.judge_recipient(proven(core, "acme"), ANNA, f"{local}@sms.example.net")
        for local in (forged, foreign)
    )
    assert first == second
    assert judge(core, "acme", to=(foreign,)).refused == first


@pytest.mark.parametrize(
    ("own", "phone", "refusal", "named"),
    [
        (BLOCKED, PHONE, Refusal.SENDER_ID_NOT_PERMITTED, f"+{PHONE}@"),
        (RIVALS, PHONE, Refusal.SENDER_ID_NOT_PERMITTED, RIVALS),
        ("447700900998", PHONE, Refusal.SENDER_ID_NOT_PERMITTED, "447700900998"),
        (DEDICATED, "BANK", Refusal.NUMBER_CANNOT_RECEIVE, "BANK"),
    ],
)
def test_what_cannot_be_answered_any_more_is_refused_with_the_reason(own, phone, refusal, named, core):
    address = token(core, own, phone=phone)
    refused = core.judge.judge_recipient(proven(core, "acme"), ANNA, f"{address}@sms.example.net")
    assert isinstance(refused, Refused)
    assert (refused.refusal, named in refused.detail) == (refusal, True)
    assert judge(core, "acme", to=(address,)).refused == refused


def test_any_user_and_any_address_of_a_customers_domain_may_answer_and_nobody_else(core):
    address = token(core)
    for author in (ANNA, BOB, DESK):
        assert answered(judge(core, "acme", to=(address,), sender=author)) == [(PHONE, DEDICATED)]
    for author in ("eve@rival.example.com", "eve@example.com"):
        judged = judge(core, "acme", to=(address,), sender=author, reverse_path=ANNA)
        assert judged.refused.refusal is Refusal.SENDER_NOT_AUTHORISED


def test_an_address_that_is_no_user_has_the_profile_of_the_action_that_mails_to_it(core):
    def cost_centre(author, own=DEDICATED):
        return judge(core, "acme", to=(token(core, own),), sender=author).resolved.settings.cost_centre

    assert cost_centre(DESK) == cost_centre("Desk@ACME.example.com") == "desk"
    assert cost_centre(ANNA) == "anna"
    assert cost_centre(BOB) == cost_centre(DESK, SECOND) == "acme"
    judged = judge(core, "acme", to=(token(core),), sender=DESK)
    assert judged.plan.job.profile == "desk"


def test_an_answer_is_the_new_words_of_the_body_whatever_the_settings_say(core):
    body = "<div>Yes, at four.</div><div id=Signature>Anna<br>Acme</div><div id=appendonsend></div><div>Old words</div>"
    judged = judge(core, "acme", to=(token(core),), sender=DESK, raw=html(body, sender=DESK))
    assert judged.extracted.text == "Yes, at four."


@pytest.mark.parametrize(
    "subject", ["Re: SMS from +447700900123", "Fwd: SMS", "AW: WG: SMS", "[MAXPARTS:1] SMS", "SMS"]
)
def test_an_answer_without_new_words_is_refused_and_never_the_subject_or_the_quoted_text(subject, core):
    body = (
        "<div><br></div><div id=appendonsend></div><div id=divRplyFwdMsg><b>From:</b> SMS &lt;447700900123@sms.example"
        ".net&gt;<br><b>Sent:</b> Monday, 23 November 2026 16:10<br><b>To:</b> Anna<br><b>Subject:</b> SMS</div>"
        "<div>---------- Forwarded message ---------<br>At four?</div>"
    )
    judged = judge(core, "acme", to=(token(core),), raw=html(body, subject=subject))
    assert judged.verdict is Disposition.REFUSE
    assert judged.refused.refusal is Refusal.NO_TEXT
    assert judged.refused.detail


@pytest.mark.parametrize("thread", ["<x@acme.example.com>", ""])
def test_options_of_the_subject_do_not_fire_in_a_thread(thread, core):
    fields = {"In_Reply_To": thread} if thread else {}
    to = ("+447700900101",) if thread else (token(core),)
    judged = judge(core, "acme", to=to, raw=html("Yes", subject="Re: [MAXPARTS:1] [SRC:EVIL] Hello", **fields))
    assert judged.verdict is Disposition.SEND
    assert dict(judged.options) == {}
    assert judged.resolved.settings.sender_id is None


def test_reply_addresses_numbers_and_faults_mix_as_in_any_mail(core):
    to = (token(core), "+447700900101", token(core, SHORT, phone=OTHER_PHONE), "+4930123456", token(core)[:-1])
    judged = judge(core, "acme", to=to)
    assert [message.refused is None for message in judged.plan.messages] == [True, True, True, False, False]
    assert [message.sender_id.value if message.sender_id else None for message in judged.plan.job.messages[:3]] == [
        DEDICATED,
        None,
        SHORT,
    ]


def test_a_number_alone_is_answered_by_its_newest_conversation(core):
    phone = "447700900130"
    assert answered(judge(core, "acme", to=(f"+{phone}",))) == [(phone, None)]
    converse(core, 11, DEDICATED, phone=phone)
    converse(core, 12, SECOND, phone=phone)
    converse(core, 13, RIVALS, phone=phone, customer="rival")
    for form in (f"+{phone}", phone, f"0{phone[2:]}"):
        assert answered(judge(core, "acme", to=(form,))) == [(phone, SECOND)]
    assert answered(judge(core, "demo", to=(f"+{phone}",), sender="x@example.com")) == [(phone, None)]


def test_the_mail_that_is_answered_says_which_conversation_it_is(core):
    phone = "447700900131"
    converse(core, 21, DEDICATED, phone=phone)
    converse(core, 22, SECOND, phone=phone)

    def shown(**fields):
        judged = judge(core, "acme", to=(phone,), raw=html("Yes", sender=DESK, **fields), sender=DESK)
        assert judged.extracted.text == "Yes"
        return answered(judged)[0][1], judged.resolved.settings.cost_centre

    root = "<conv.21@sms.example.net>"
    assert shown(References=f"{root} <in.IN.20261123T1@sms.example.net>") == (DEDICATED, "desk")
    assert shown(In_Reply_To=root.upper()) == (DEDICATED, "desk")
    put_mail(core, "IN.20261123T2", 21)
    assert shown(In_Reply_To="<in.IN.20261123T2@sms.example.net>") == (DEDICATED, "desk")


def put_mail(core, public_id, thread):
    facts = {"destination": "", "recipient": DESK, "state": "done", "due_at": 0, "created_at": 0}
    about = f'{{"thread": {thread}}}'
    put(core, OutboxRow, key=thread, public_id=public_id, kind="inbound-mail", channel="mail", about=about, **facts)


def test_a_thread_of_somebody_else_decides_nothing(core):
    phone = "447700900132"
    converse(core, 31, DEDICATED, phone=phone)
    converse(core, 32, SECOND, phone=phone)
    for other in ("<conv.31@example.org>", "<conv.11@sms.example.net>", "<conv.999@sms.example.net>"):
        raw = html("Yes", References=other)
        assert answered(judge(core, "acme", to=(phone,), raw=raw)) == [(phone, SECOND)]


def test_a_number_alone_of_a_conversation_that_has_ended_is_an_ordinary_recipient(core):
    phone = "447700900133"
    converse(core, 41, BLOCKED, phone=phone)
    assert answered(judge(core, "acme", to=(phone,))) == [(phone, None)]


def test_a_number_alone_in_a_new_mail_keeps_what_the_mail_asks_for(core):
    phone = "447700900134"
    converse(core, 51, DEDICATED, phone=phone)
    judged = judge(core, "acme", to=(phone,), subject="[SRC:ACME] Hello")
    assert answered(judged) == [(phone, None)]
    assert judged.resolved.settings.sender_id.value == "ACME"
    for machine in (b"X-Mailer: SAP NetWeaver\r\n", b"Auto-Submitted: auto-generated\r\n"):
        raw = machine + html("Disk full", subject="Alarm", sender=BOB)
        assert answered(judge(core, "acme", to=(phone,), raw=raw, sender=BOB)) == [(phone, None)]


@pytest.mark.parametrize(
    ("sender", "kept"),
    [
        (f"Anna Keller <{ANNA}>", ANNA),
        ("carl@acme.example.com", "carl@acme.example.com"),
        (DESK, ""),
        ("eve@rival.example.com", ""),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_who_answers_on_behalf_of_a_mailbox_is_kept_beside_it(sender, kept, core):
    raw = html("Yes", sender=f"Desk <{DESK}>", **({"Sender": sender} if sender else {}))
    judged = judge(core, "acme", to=(token(core),), raw=raw, sender=DESK, reverse_path=ANNA)
    origin = judged.plan.job.mail
    assert (origin.header_from, origin.header_sender, origin.reverse_path) == (DESK, kept, ANNA)
    assert judged.plan.job.profile == "desk"


@pytest.mark.parametrize(
    ("header", "reverse_path"),
    [
        ("Auto-Submitted: auto-replied", ANNA),
        ("Auto-Submitted: auto-generated", ANNA),
        ("X-MS-Exchange-Inbox-Rules-Loop: desk@acme.example.com", ANNA),
        ("X-Note: none", ""),
        ("Subject: Automatische Antwort: SMS von +447700900123", ANNA),
        ("Subject: Out of Office: SMS", ANNA),
    ],
)
@pytest.mark.parametrize(
    "thread", ["In-Reply-To: <in.IN.1@sms.example.net>", "References: <conv.1@sms.example.net>", "X-Nothing: x"]
)
def test_an_automatic_answer_texts_nobody(header, thread, reverse_path, core):
    raw = f"From: {ANNA}\r\n{header}\r\n{thread}\r\n\r\nI am away until Monday.".encode()
    to = (token(core),) if thread.startswith("X-") else (token(core), PHONE)
    judged = judge(core, "acme", to=to, raw=raw, reverse_path=reverse_path)
    assert judged.verdict is Disposition.DROP
    assert judged.dropped.reason == "auto-reply"
    assert judged.dropped.mark


@pytest.mark.parametrize("report", ["delivery-status", "disposition-notification"])
def test_a_bounce_or_receipt_to_a_reply_address_is_taken_and_sends_nothing(report, core):
    assert isinstance(
        core.judge.judge_recipient(proven(core, "acme"), "", f"{token(core)}@sms.example.net"), MobileNumber
    )
    raw = f"From: x@example.org\r\nContent-Type: multipart/report; report-type={report}; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--"
    judged = judge(core, "acme", to=(token(core),), raw=raw.encode(), reverse_path="")
    assert judged.verdict is Disposition.DROP


def test_a_persons_answer_to_our_mail_passes(core):
    raw = html("Yes", In_Reply_To="<in.IN.1@sms.example.net>", References="<conv.1@sms.example.net>")
    assert answered(judge(core, "acme", to=(token(core),), raw=raw)) == [(PHONE, DEDICATED)]


def test_our_own_mail_that_comes_back_is_a_loop(core):
    raw = html("Yes", Message_ID="<in.IN.1@sms.example.net>")
    assert judge(core, "acme", to=(token(core),), raw=raw).refused.refusal is Refusal.MAIL_LOOP
