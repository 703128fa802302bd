"""Whose mail it is, whether it may be sent, and under which settings: the judgements that server and «explain» share."""

import pytest

from addressbook.senders import find_owner
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.intake import Disposition
from sms.message import Priority
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, BOB, ZOE, judge, open_core, proven


@pytest.fixture(scope="module")
def core(module_house):
    core = open_core(module_house)
    yield core
    core.database.close()


@pytest.mark.parametrize(
    ("customer", "login", "author", "user"),
    [
        ("acme", "", ANNA, ANNA),
        ("acme", "", BOB, ""),
        ("acme", ANNA, ANNA, ANNA),
        ("acme", "", "ANNA@ACME.example.com", ANNA),
        ("demo", "", "anybody@example.com", ""),
        ("acme", "", ZOE, None),
        ("acme", ANNA, BOB, None),
        ("acme", "", "eve@rival.example.com", None),
        ("acme", "", "anybody@example.com", None),
        ("rival", "", ANNA, None),
        ("demo", "", ANNA, None),
        ("demo", "", BOB, None),
        ("gone", "", "x@gone.example.com", None),
    ],
)
def test_who_may_send_as_whom(customer, login, author, user, core):
    sender = core.book.current.choose_sender(proven(core, customer, login), author)
    if user is None:
        assert isinstance(sender, Refused)
        assert sender.refusal is Refusal.SENDER_NOT_AUTHORISED
        assert sender.detail
    else:
        assert sender.customer.name == customer
        assert (sender.user.address if sender.user else "") == user


@pytest.mark.parametrize(
    ("address", "customer"),
    [
        (ANNA, "acme"),
        ("Somebody@ACME.example.com", "acme"),
        ("max@rival.example.com", "rival"),
        ("somebody@example.org", None),
        ("", None),
    ],
)
def test_without_a_login_an_address_says_whose_it_would_be(address, customer, core):
    directory = core.book.current.directory
    found = find_owner(directory, address)
    owner = directory.customer(found.customer_id) if found is not None else None
    assert (owner.name if owner is not None else None) == customer


@pytest.mark.parametrize(("author", "profile"), [(ANNA, "ops"), (BOB, "ops")])
def test_the_default_profile_is_everybodys_who_has_no_other(author, profile, core):
    assert core.book.current.choose_sender(proven(core, "acme"), author).profile.name == profile


def test_layers_of_customer_profile_and_user_are_in_force(core):
    judged = judge(core, "acme")
    assert judged.verdict is Disposition.SEND
    explained = judged.resolved.explained
    found = {
        name: (explained[name].value, explained[name].layer.value)
        for name in ("default_country", "max_parts", "cost_centre")
    }
    assert found == {
        "default_country": ("GB", "customer"),
        "max_parts": (3, "profile"),
        "cost_centre": ("anna", "pinned"),
    }


@pytest.mark.parametrize(
    ("mailer", "service", "report_format"),
    [("SAP NetWeaver 7.57", "sap", "dsn"), ("Outlook", "mail", "html"), ("", "mail", "html")],
)
def test_mail_of_an_sap_system_has_the_settings_of_its_service(mailer, service, report_format, core):
    raw = mail("Hello", sender=BOB)
    if mailer:
        raw = f"X-Mailer: {mailer}\r\n".encode() + raw
    judged = judge(core, "acme", raw=raw, sender=BOB)
    assert judged.plan.submission.service == service
    assert judged.resolved.settings.report_format == report_format


@pytest.mark.parametrize(
    ("address", "judged"),
    [
        ("+447700900101@sms.example.net", "447700900101"),
        ("07700900101@SMS.example.net", "447700900101"),
        ("SMS=+447700900101@sms.example.net", "447700900101"),
        ("PAGER=+447700900101@sms.example.net", "447700900101"),
        ("TELEX=+447700900101@sms.example.net", Refusal.ADDRESS_UNKNOWN),
        ("+447700900101@example.org", Refusal.RELAY_DENIED),
        ("+4930123456@sms.example.net", Refusal.NUMBER_CANNOT_RECEIVE),
        ("somebody@sms.example.net", None),
        ("@sms.example.net", None),
    ],
)
def test_a_recipient_of_a_proven_sender_is_judged_in_full(address, judged, core):
    found = core.judge.judge_recipient(proven(core, "acme"), ANNA, address)
    if isinstance(judged, str) and not isinstance(judged, Refusal):
        assert found == MobileNumber(digits=judged)
    else:
        assert isinstance(found, Refused)
        assert judged in {None, found.refusal}


@pytest.mark.parametrize(
    ("address", "refused"), [("+4930123456@sms.example.net", False), ("x y@example.org", True), ("a@example.org", True)]
)
def test_of_an_unproven_sender_only_the_form_of_a_recipient_is_judged(address, refused, core):
    assert isinstance(core.judge.judge_recipient(None, "", address), Refused) is refused


def test_the_null_sender_is_nobody_and_its_recipients_are_the_customers(core):
    assert core.judge.judge_reverse_path(proven(core, "acme"), "") is None
    assert core.judge.judge_recipient(proven(core, "acme"), "", "07700900101@sms.example.net") == MobileNumber(
        digits="447700900101"
    )


def test_a_bounce_is_dropped_before_its_sender_is_judged(core):
    judged = judge(core, "acme", sender="mailer-daemon@example.org", reverse_path="")
    assert (judged.verdict, judged.dropped.reason) == (Disposition.DROP, "bounce")
    assert judged.plan is None


def test_the_author_counts_and_not_the_reverse_path(core):
    judged = judge(core, "acme", sender="eve@rival.example.com", reverse_path=ANNA)
    assert (judged.verdict, judged.refused.refusal) == (Disposition.REFUSE, Refusal.SENDER_NOT_AUTHORISED)


def test_the_clients_urgent_flag_is_a_setting_of_the_message(core):
    judged = judge(core, "acme", raw=b"X-Priority: 1 (Highest)\r\n" + mail("Hello", sender=ANNA))
    assert judged.resolved.settings.priority is Priority.EXPRESS
    assert judged.resolved.explained["priority"].layer == "message"


def test_options_of_the_subject_lie_over_everything_but_are_not_text(core):
    judged = judge(core, "acme", " ", subject="[MAXPARTS:1] Alarm")
    assert judged.verdict is Disposition.SEND
    assert dict(judged.options) == {"MAXPARTS": "1"}
    assert (judged.resolved.settings.max_parts, judged.extracted.text) == (1, "Alarm")


def test_some_refused_is_sent_and_all_refused_is_refused(core):
    some = judge(core, "acme", to=("+447700900101", "+4930123456"))
    assert some.verdict is Disposition.SEND
    assert [message.refused is None for message in some.plan.messages] == [True, False]
    every = judge(core, "acme", to=("+4930123456", "12"))
    assert (every.verdict, every.refused.refusal) == (Disposition.REFUSE, Refusal.NUMBER_CANNOT_RECEIVE)


def test_without_a_proof_nothing_is_told_but_that(core):
    envelope = ReceivedEnvelope(
        reverse_path=ANNA, recipients=(EnvelopeRecipient(address="+447700900101@sms.example.net"),)
    )
    for judged in (core.judge.judge_envelope(envelope, None), core.judge.judge(mail("Hello"), envelope, None)):
        assert (judged.verdict, judged.refused.refusal, judged.plan) == (
            Disposition.REFUSE,
            Refusal.AUTHENTICATION_REQUIRED,
            None,
        )
