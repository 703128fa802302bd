"""Which event makes which DSN, and that a parser written by others reads in it what is meant (RFC 3461, RFC 3464)."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mta.sending.compose import MailIdentity, compose_notice
from mta.sending.dsn import STATUS_OF_PROBLEM, DsnAction, decide_dsn, write_dsn
from mta.smtp.engine.replies import REPLY_OF_REFUSAL
from sms.lifecycle import MessageState
from sms.message import MailOrigin, Replacement
from sms.outcome import ProblemCode, Refusal
from sms.report import NoticeKind
from sms.settings import ReportFormat
from templates.render import Renderer
from tests.kit.status_samples import ACCEPTED_AT, NOW, REPORTED_AT, message, notice, part, report

RENDERER = Renderer()
IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="postmaster@sms.example.net",
    hostname="sms.example.net",
    message_id_domain="sms.example.net",
)
SAP_ID = "005056A1B2C31EDFA0B1C2D3E4F50607"
SAP_HEADER = (
    b"Date: Mon, 23 Nov 2026 08:15:02 +0100 (CET)\r\nFrom: <WF-BATCH@s4p-100.erp.example.com>\r\n"
    b"Subject: Delivery 80012345\r\nTo: <SMS=+447700900123@sms.example.net>\r\n"
    b"Message-ID: <005056A1B2C31EDFA0B1C2D3E4F50607@s4p-100.erp.example.com>\r\n"
)
SAP_MAIL = MailOrigin(
    reverse_path="WF-BATCH@s4p-100.erp.example.com",
    message_id=f"<{SAP_ID}@s4p-100.erp.example.com>",
    subject="Delivery 80012345",
    envid=SAP_ID,
    ret="HDRS",
    helo="s4p-100.erp.example.com",
    header=SAP_HEADER,
)


def job(*messages, mail=SAP_MAIL, **changes):
    return report(*messages, mail=mail, report_format=ReportFormat.DSN, **changes)


def sap_message(state=MessageState.DELIVERED, number="+447700900123", **changes):
    address = f"SMS={number}@sms.example.net"
    return message(
        state,
        number=number,
        **({"given": address, "orcpt": f"rfc822;{address}", "notify": "SUCCESS,FAILURE"} | changes),
    )


def read(told, kind=NoticeKind.RESULT, **changes):
    composed = compose_notice(
        notice(told, kind, **({"recipient": "WF-BATCH@s4p-100.erp.example.com"} | changes)),
        identity=IDENTITY,
        renderer=RENDERER,
        now=NOW,
    )
    assert composed is not None
    mail = message_from_bytes(composed.message, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert [defect for one in mail.walk() for defect in one.defects] == []
    return mail


def groups(mail):
    """Return the per-message and per-recipient fields as the standard library reads them."""
    status = next(one for one in mail.walk() if one.get_content_type().endswith("delivery-status"))
    return [dict(group.items()) for group in status.get_payload() if group.items()]


def test_sample_1_a_delivered_message_answers_sap():
    mail = read(job(sap_message()))
    assert mail.get_content_type() == "multipart/report"
    assert mail["Content-Type"].params["report-type"] == "delivery-status"
    assert mail["From"] == "SMS Gateway <postmaster@sms.example.net>"
    assert mail["To"] == "WF-BATCH@s4p-100.erp.example.com"
    assert mail["Subject"] == "Delivery status: +44 7700 900123 delivered"
    assert mail["In-Reply-To"] == mail["References"] == f"<{SAP_ID}@s4p-100.erp.example.com>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["Message-ID"] == "<dsn.N.20261123071519Z77C1A0@sms.example.net>"
    prose, _, returned = mail.iter_parts()
    assert (
        prose.get_content().strip()
        == "Your message to +44 7700 900123: delivered, reported by the network on 23 Nov 2026, 07:15 UTC."
    )
    assert groups(mail) == [
        {
            "Original-Envelope-Id": SAP_ID,
            "Reporting-MTA": "dns; sms.example.net",
            "DSN-Gateway": "dns; sms.example.net",
            "Received-From-MTA": "dns; s4p-100.erp.example.com",
            "Arrival-Date": "Mon, 23 Nov 2026 07:15:04 +0000",
        },
        {
            "Original-Recipient": "rfc822;SMS=+447700900123@sms.example.net",
            "Final-Recipient": "rfc822;SMS=+447700900123@sms.example.net",
            "Action": "delivered",
            "Status": "2.1.5",
            "Last-Attempt-Date": "Mon, 23 Nov 2026 07:15:19 +0000",
        },
    ]
    assert returned.get_content_type() == "text/rfc822-headers"
    assert returned.get_payload(decode=True).rstrip(b"\r\n") + b"\r\n" == SAP_HEADER


def test_sample_2_a_recipient_on_the_stop_list_is_our_own_no():
    stopped = sap_message(MessageState.REJECTED, "+447700900109", reason=Refusal.STOP_LIST, parts=())
    mail = read(job(stopped, mail=replace(SAP_MAIL, envid="", helo="")))
    about_mail, about_recipient = groups(mail)
    assert about_mail == {"Reporting-MTA": "dns; sms.example.net", "Arrival-Date": "Mon, 23 Nov 2026 07:15:04 +0000"}
    assert about_recipient.pop("Diagnostic-Code").lower() == "smtp; 550 5.7.1 recipient opted out (stop list)"
    assert about_recipient == {
        "Original-Recipient": "rfc822;SMS=+447700900109@sms.example.net",
        "Final-Recipient": "rfc822;SMS=+447700900109@sms.example.net",
        "Action": "failed",
        "Status": "5.7.1",
    }


def test_sample_3_an_expired_message_names_the_carrier_that_said_so():
    ended_at = datetime(2026, 11, 24, 7, 15, 4, tzinfo=UTC)
    expired = message(
        MessageState.EXPIRED,
        number="+447700900110",
        parts=(part(state=MessageState.EXPIRED, error="027", reported_at=ended_at),),
        reason=ProblemCode.VALIDITY_ENDED,
        problem="validity period ended, handset not reachable",
    )
    mail = read(job(expired, mail=replace(SAP_MAIL, envid="", helo="")))
    assert groups(mail) == [
        {
            "Reporting-MTA": "dns; sms.example.net",
            "DSN-Gateway": "dns; sms.example.net",
            "Arrival-Date": "Mon, 23 Nov 2026 07:15:04 +0000",
        },
        {
            "Final-Recipient": "rfc822;+447700900110@sms.example.net",
            "Action": "failed",
            "Status": "4.4.7",
            "Remote-MTA": "x-smpp; smsc1.carrier.example",
            "Diagnostic-Code": "x-smpp; EXPIRED err:027 (validity period ended, handset not reachable)",
            "Last-Attempt-Date": "Tue, 24 Nov 2026 07:15:04 +0000",
        },
    ]


S, F, D, N, NONE = "SUCCESS", "FAILURE", "DELAY", "NEVER", ""
UNDELIVERED = {"state": MessageState.UNDELIVERED, "reason": ProblemCode.NOT_DELIVERED}
WAITING = {"state": MessageState.QUEUED, "parts": ()}


@pytest.mark.parametrize(
    ("kind", "changes", "told_when"),
    [
        (NoticeKind.ACCEPTED, WAITING, {}),
        (NoticeKind.ACCEPTED, {"state": MessageState.SUBMITTED}, {}),
        (NoticeKind.RESULT, WAITING, {}),
        (NoticeKind.RESULT, {"state": MessageState.DELIVERED}, {S: "delivered 2.1.5", f"{S},{F}": "delivered 2.1.5"}),
        (NoticeKind.RESULT, {"state": MessageState.SUBMITTED}, {S: "relayed 2.0.0", f"{S},{F}": "relayed 2.0.0"}),
        (NoticeKind.RESULT, {"state": MessageState.UNKNOWN, "reason": ProblemCode.NO_RECEIPT}, {S: "relayed 2.0.0", f"{S},{F}": "relayed 2.0.0"}),
        (NoticeKind.RESULT, {"state": MessageState.UNKNOWN, "reason": ProblemCode.LINK_LOST}, {S: "relayed 2.0.0", f"{S},{F}": "relayed 2.0.0"}),
        (NoticeKind.RESULT, UNDELIVERED, {F: "failed 5.0.0", f"{S},{F}": "failed 5.0.0", NONE: "failed 5.0.0"}),
        (NoticeKind.RESULT, {"state": MessageState.EXPIRED}, {F: "failed 4.4.7", f"{S},{F}": "failed 4.4.7", NONE: "failed 4.4.7"}),
        (NoticeKind.DELAYED, WAITING, {D: "delayed 4.4.1", NONE: "delayed 4.4.1"}),
        (NoticeKind.DELAYED, {"state": MessageState.DELIVERED}, {}),
        (NoticeKind.CORRECTION, UNDELIVERED, {}),
        (NoticeKind.CORRECTION, {"state": MessageState.DELIVERED}, {}),
        (NoticeKind.CORRECTION, {"state": MessageState.DELIVERED, "updated_at": REPORTED_AT + timedelta(hours=1)}, {S: "delivered 2.1.5", f"{S},{F}": "delivered 2.1.5"}),
    ],
)  # fmt: skip
def test_an_event_is_told_only_to_those_who_asked(kind, changes, told_when):
    told = {}
    for notify in (S, F, D, N, f"{S},{F}", NONE):
        decided = decide_dsn(kind, job(sap_message(**{"notify": notify, **changes})))
        if decided:
            told[notify] = f"{decided[0].action} {decided[0].status}"
    assert told == told_when


@pytest.mark.parametrize(
    ("changes", "status", "diagnostic", "translated"),
    [
        ({"state": MessageState.UNDELIVERED, "reason": ProblemCode.DELETED}, "5.3.0", "x-smpp; DELETED err:042", True),
        (
            {"state": MessageState.UNDELIVERED, "reason": ProblemCode.NUMBER_REFUSED},
            "5.1.1",
            "x-smpp; UNDELIV err:042",
            True,
        ),
        ({"state": MessageState.UNDELIVERED, "reason": ""}, "5.0.0", "x-smpp; UNDELIV err:042", True),
        (
            {"state": MessageState.REJECTED, "reason": ProblemCode.CARRIER_REFUSED, "from_network": True},
            "5.7.1",
            "x-smpp; REJECTD err:042",
            True,
        ),
        ({"state": MessageState.FAILED, "reason": ProblemCode.CONTENT_REFUSED}, "5.7.1", "x-smpp; 042", False),
        ({"state": MessageState.FAILED, "reason": ProblemCode.NUMBER_REFUSED}, "5.1.1", "x-smpp; 042", False),
        ({"state": MessageState.FAILED, "reason": ProblemCode.CARRIER_REFUSED}, "5.3.0", "x-smpp; 042", False),
    ],
)
def test_what_a_carrier_said_is_told_as_its_kind(changes, status, diagnostic, translated):
    told = part(state=changes["state"], error="042", carrier="smsc1", submitted_at=ACCEPTED_AT)
    decided = decide_dsn(NoticeKind.RESULT, job(sap_message(parts=(told,), **changes)))[0]
    assert (decided.action, decided.status, decided.diagnostic, decided.translated) == (
        DsnAction.FAILED,
        status,
        diagnostic,
        translated,
    )
    assert decided.remote == "x-smpp; smsc1"


def test_what_a_carrier_said_is_told_in_its_own_word():
    told = part(state=MessageState.UNDELIVERED, error="042", carrier="smsc1", word="PURGED", reported_at=REPORTED_AT)
    changes = {"reason": ProblemCode.DELETED, "problem": "", "parts": (told,)}
    decided = decide_dsn(NoticeKind.RESULT, job(sap_message(MessageState.UNDELIVERED, **changes)))[0]
    assert (decided.status, decided.diagnostic) == ("5.3.0", "x-smpp; PURGED err:042")


@pytest.mark.parametrize("reason", [reason for reason in Refusal if reason.value not in map(str, ProblemCode)])
def test_a_recipient_refused_after_data_reads_the_reply_it_would_have_had(reason):
    refused = sap_message(
        MessageState.REJECTED, number="", given="4477@sms.example.net", orcpt="", reason=reason, parts=()
    )
    decided = decide_dsn(NoticeKind.RESULT, job(refused))[0]
    assert decided.status == REPLY_OF_REFUSAL[reason].enhanced
    assert decided.diagnostic == f"smtp; {REPLY_OF_REFUSAL[reason]}"
    assert not decided.translated
    assert not decided.remote


def test_every_problem_has_a_status():
    assert set(STATUS_OF_PROBLEM) == set(ProblemCode)


@pytest.mark.parametrize(
    "state",
    [
        MessageState.UNDELIVERED,
        MessageState.EXPIRED,
        MessageState.REJECTED,
        MessageState.FAILED,
        MessageState.CANCELLED,
    ],
)
@pytest.mark.parametrize("reason", ["", *ProblemCode, *Refusal, "from-the-future"])
def test_every_failure_has_a_failing_status(state, reason):
    status = decide_dsn(NoticeKind.RESULT, job(sap_message(state, reason=reason, parts=())))[0].status
    assert status[0] in "45"


def test_expired_in_our_own_queue_is_no_carriers_word():
    about_mail, about_recipient = groups(
        read(
            job(
                sap_message(
                    MessageState.EXPIRED,
                    from_network=False,
                    parts=(part(state=MessageState.EXPIRED, carrier="", submitted_at=None, reported_at=None),),
                )
            )
        )
    )
    assert "DSN-Gateway" not in about_mail
    assert {"Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date"}.isdisjoint(about_recipient)
    assert about_recipient["Status"] == "4.4.7"


def test_the_switch_for_sap_says_delivered_where_a_carrier_accepted():
    def action(message, **changes):
        return decide_dsn(NoticeKind.RESULT, job(message, **changes))[0].action

    assert action(sap_message(MessageState.SUBMITTED), acceptance_is_delivery=True) is DsnAction.DELIVERED
    assert action(sap_message(MessageState.SUBMITTED)) is DsnAction.RELAYED
    lost = sap_message(
        MessageState.UNKNOWN, reason=ProblemCode.LINK_LOST, parts=(part(state=MessageState.UNKNOWN, carrier_id=""),)
    )
    assert action(lost, acceptance_is_delivery=True) is DsnAction.RELAYED
    assert "DSN-Gateway" not in groups(read(job(sap_message(MessageState.SUBMITTED), acceptance_is_delivery=True)))[0]


@pytest.mark.parametrize("changes", [{"cut": "the end"}, {"replaced": (Replacement(index=0, old="…", new="..."),)}])
def test_a_loss_in_conversion_is_told_in_the_status(changes):
    assert decide_dsn(NoticeKind.RESULT, job(sap_message(**changes)))[0].status == "2.6.4"


def test_several_recipients_are_groups_of_one_dsn_where_they_asked():
    told = job(
        sap_message(),
        sap_message(MessageState.SUBMITTED, "+447700900124", notify="FAILURE"),
        sap_message(MessageState.UNDELIVERED, "+447700900125", notify=""),
        sap_message(MessageState.UNDELIVERED, "+447700900126", notify="NEVER"),
    )
    mail = read(told)
    actions = [(group["Final-Recipient"], group["Action"]) for group in groups(mail)[1:]]
    assert actions == [
        ("rfc822;SMS=+447700900123@sms.example.net", "delivered"),
        ("rfc822;SMS=+447700900125@sms.example.net", "failed"),
    ]
    assert mail["Subject"] == "Delivery status: 2 recipients"
    assert "+447700900124" not in mail.as_string()


@pytest.mark.parametrize("mail", [None, replace(SAP_MAIL, reverse_path="")])
def test_nothing_is_sent_to_nobody(mail):
    assert decide_dsn(NoticeKind.RESULT, job(sap_message(MessageState.UNDELIVERED), mail=mail)) == ()


def test_a_delay_says_until_when_it_is_tried():
    delayed = read(job(sap_message(**WAITING, notify="DELAY"), settled_at=None), NoticeKind.DELAYED)
    assert groups(delayed)[1]["Will-Retry-Until"] == "Wed, 25 Nov 2026 07:15:04 +0000"
    assert "25 Nov 2026, 07:15 UTC" in next(delayed.iter_parts()).get_content()


@pytest.mark.parametrize("envid", ["plain", "with blank", '+=weird;"<>()', "x" * 100])
def test_the_envelope_id_comes_back_to_the_octet(envid):
    written = write_dsn(
        NoticeKind.RESULT,
        job(sap_message(), mail=replace(SAP_MAIL, envid=envid)),
        hostname="h.example.net",
        words=RENDERER.words("en"),
        smtputf8=False,
    )
    assert written is not None
    assert f"\r\nOriginal-Envelope-Id: {envid}\r\n".encode() in written.parts[1]


@pytest.mark.parametrize("envid", ["", "a\r\nAction: delivered", "ümlaut", "\0"])
def test_an_envelope_id_that_did_not_come_or_cannot_stand_is_left_out(envid):
    about_mail = groups(read(job(sap_message(), mail=replace(SAP_MAIL, envid=envid))))[0]
    assert "Original-Envelope-Id" not in about_mail
    assert len(groups(read(job(sap_message(), mail=replace(SAP_MAIL, envid=envid))))) == 2


FULL = replace(SAP_MAIL, ret="FULL", body=b"Ihre Lieferung trifft heute ein.\r\n")


@pytest.mark.parametrize(
    ("mail", "state", "content_type"),
    [
        (FULL, MessageState.UNDELIVERED, "message/rfc822"),
        (FULL, MessageState.DELIVERED, "text/rfc822-headers"),
        (replace(FULL, ret="HDRS"), MessageState.UNDELIVERED, "text/rfc822-headers"),
        (replace(FULL, ret=""), MessageState.UNDELIVERED, "text/rfc822-headers"),
        (replace(FULL, body=None), MessageState.UNDELIVERED, "text/rfc822-headers"),
        (replace(FULL, body=b"acht Bit: \xfc\r\n"), MessageState.UNDELIVERED, "text/rfc822-headers"),
        (replace(FULL, body=b"x" * 999 + b"\r\n"), MessageState.UNDELIVERED, "text/rfc822-headers"),
        (
            replace(FULL, header=SAP_HEADER + "X-Name: Jürgen\r\n".encode()),
            MessageState.UNDELIVERED,
            "message/global-headers",
        ),
        (
            replace(FULL, header=SAP_HEADER + b"X-Name: J\xfcrgen =\r\n"),
            MessageState.UNDELIVERED,
            "text/rfc822-headers",
        ),
    ],
)
def test_what_comes_back_of_the_mail_depends_on_ret_and_on_what_seven_bits_carry(mail, state, content_type):
    dsn = read(job(sap_message(state), mail=mail))
    returned = list(dsn.iter_parts())[2]
    assert returned.get_content_type() == content_type
    if content_type == "message/rfc822":
        assert returned.get_payload()[0].get_content().strip() == "Ihre Lieferung trifft heute ein."
    elif content_type == "message/global-headers":
        # The standard library takes any message/* for a whole mail and leaves its encoding alone.
        assert "X-Name: J=C3=BCrgen" in dsn.as_string()
    else:
        assert returned.get_payload(decode=True).rstrip() == mail.header.rstrip()


def test_without_a_header_block_there_is_no_third_part():
    assert len(list(read(job(sap_message(), mail=replace(SAP_MAIL, header=b""))).iter_parts())) == 2


def test_an_address_beyond_ascii_travels_in_seven_bits_or_as_utf8():
    told = job(sap_message(orcpt="rfc822;jürgen+x@example.net", given="jürgen@sms.example.net"))
    seven = read(told)
    assert groups(seven)[1]["Final-Recipient"] == "utf-8;j\\x{FC}rgen@sms.example.net"
    assert groups(seven)[1]["Original-Recipient"] == "utf-8;j\\x{FC}rgen\\x{2B}x@example.net"
    composed = compose_notice(
        notice(told, recipient="jürgen@example.com"), identity=IDENTITY, renderer=RENDERER, now=NOW
    )
    assert composed is not None
    assert composed.smtputf8
    assert b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n" in composed.message
    assert "Final-Recipient: utf-8;jürgen@sms.example.net\r\n".encode() in composed.message


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
@pytest.mark.parametrize(
    "state",
    [
        MessageState.DELIVERED,
        MessageState.SUBMITTED,
        MessageState.UNKNOWN,
        MessageState.UNDELIVERED,
        MessageState.QUEUED,
    ],
)
def test_the_prose_is_in_the_readers_language(language, state):
    kind = NoticeKind.DELAYED if state is MessageState.QUEUED else NoticeKind.RESULT
    mail = read(job(sap_message(state, notify="SUCCESS,FAILURE,DELAY"), language=language), kind)
    prose = next(mail.iter_parts())
    assert "+44 7700 900123" in prose.get_content()
    assert mail["Content-Language"] == language


_anything = st.text(max_size=60)


@given(
    texts=st.fixed_dictionaries(dict.fromkeys(("envid", "helo", "orcpt", "given", "problem", "error"), _anything)),
    header=st.binary(max_size=200),
    body=st.binary(max_size=200),
)
def test_nothing_that_came_in_breaks_the_report(texts, header, body):
    told = job(
        sap_message(
            MessageState.UNDELIVERED,
            number="",
            given=texts["given"],
            orcpt=texts["orcpt"],
            problem=texts["problem"],
            parts=(part(state=MessageState.UNDELIVERED, error=texts["error"], carrier=texts["helo"] or "c"),),
        ),
        mail=replace(SAP_MAIL, envid=texts["envid"], helo=texts["helo"], header=header, body=body, ret="FULL"),
    )
    composed = compose_notice(notice(told, recipient="a@example.com"), identity=IDENTITY, renderer=RENDERER, now=NOW)
    assert composed is not None
    assert composed.message.isascii()
    assert composed.message.count(b"\n") == composed.message.count(b"\r") == composed.message.count(b"\r\n")
    assert max(map(len, composed.message.split(b"\r\n"))) <= 998
    mail = message_from_bytes(composed.message, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    about_mail, about_recipient = groups(mail)
    assert set(about_mail) <= {
        "Original-Envelope-Id",
        "Reporting-MTA",
        "DSN-Gateway",
        "Received-From-MTA",
        "Arrival-Date",
    }
    assert set(about_recipient) <= {
        "Original-Recipient",
        "Final-Recipient",
        "Action",
        "Status",
        "Remote-MTA",
        "Diagnostic-Code",
        "Last-Attempt-Date",
    }
    assert (about_recipient["Action"], about_recipient["Status"]) == ("failed", "5.0.0")
