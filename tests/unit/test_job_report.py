"""A job report as applications read it: its fields, and one status for everything that can become of an SMS."""

import json
from datetime import timedelta

import pytest

from inbound.actions import PushForm
from sms.lifecycle import MessageState
from sms.message import Alphabet, Priority
from sms.number import SenderId, SenderKind
from sms.outcome import ProblemCode, Refusal
from sms.report import NoticeKind
from sms.settings import Settings
from templates.push_fields import job_fields, status_fields
from templates.pushes import standard_body
from tests.kit.status_samples import message, notice, part, report


def pushed(told):
    return standard_body(PushForm.JSON, "status", status_fields(told))


SENT = part(state=MessageState.SUBMITTED)
UNSENT = part(state=MessageState.QUEUED)


@pytest.mark.parametrize(
    ("state", "reason", "parts", "expected"),
    [
        (MessageState.QUEUED, "", (UNSENT,), ("OPEN", "")),
        (MessageState.SUBMITTING, "", (UNSENT,), ("OPEN", "")),
        (MessageState.SUBMITTED, "", (SENT,), ("DONE", "SUC_ACC")),
        (MessageState.DELIVERED, "", (SENT,), ("DONE", "SUC_FIN")),
        (MessageState.UNDELIVERED, ProblemCode.NOT_DELIVERED, (SENT,), ("DONE", "FAILED_FIN")),
        (MessageState.EXPIRED, ProblemCode.VALIDITY_ENDED, (SENT,), ("DONE", "TIMEOUT")),
        (MessageState.EXPIRED, ProblemCode.LINK_DOWN, (UNSENT,), ("DONE", "CON_ERR")),
        (MessageState.UNKNOWN, ProblemCode.NO_RECEIPT, (SENT,), ("DONE", "TIMEOUT")),
        (MessageState.UNKNOWN, ProblemCode.STATE_UNKNOWN, (SENT,), ("DONE", "STATUS_ERR")),
        (MessageState.UNKNOWN, ProblemCode.LINK_LOST, (SENT,), ("DONE", "SEND_ERR")),
        (MessageState.FAILED, ProblemCode.NUMBER_REFUSED, (UNSENT,), ("DONE", "INVALID_DST")),
        (MessageState.FAILED, ProblemCode.CARRIER_REFUSED, (UNSENT,), ("DONE", "NOT_ACC_FIN")),
        (MessageState.REJECTED, Refusal.NUMBER_MALFORMED, (), ("DONE", "INVALID_DST")),
        (MessageState.REJECTED, Refusal.STOP_LIST, (), ("DONE", "BLOCKED")),
        (MessageState.REJECTED, Refusal.COUNTRY_NOT_ALLOWED, (), ("DONE", "NOT_ACC_FIN")),
        (MessageState.CANCELLED, ProblemCode.CANCELLED, (UNSENT,), ("CANCELED", "")),
        (MessageState.CANCELLED, ProblemCode.CANCELLED, (SENT,), ("KILL", "")),
    ],
)
def test_everything_that_can_become_of_an_sms_has_its_status(state, reason, parts, expected):
    (recipient,) = job_fields(report(message(state, reason=str(reason), parts=parts)))["recipients"]
    assert (recipient["processStatus"], recipient["status"]) == expected
    assert recipient["state"] == state.value
    assert (recipient["finishedTs"] is None) == (expected[0] in {"OPEN", "RUNNING"})


def test_an_sms_whose_receipt_is_awaited_is_running_until_the_job_is_settled():
    waiting = report(message(MessageState.SUBMITTED), delivery_receipt=True, settled_at=None)
    assert job_fields(waiting)["recipients"][0]["processStatus"] == "RUNNING"
    settled = report(message(MessageState.SUBMITTED), delivery_receipt=True)
    assert job_fields(settled)["recipients"][0]["status"] == "SUC_ACC"


def test_what_the_network_rejects_has_failed_and_not_been_refused_by_us():
    (recipient,) = job_fields(report(message(MessageState.REJECTED, from_network=True)))["recipients"]
    assert recipient["status"] == "FAILED_FIN"


@pytest.mark.parametrize("state", MessageState)
def test_every_state_has_a_status(state):
    assert job_fields(report(message(state), settled_at=None))["recipients"][0]["processStatus"]


def test_a_report_has_the_fields_of_the_job():
    job = report(
        message(MessageState.DELIVERED, sender_id="Shop"),
        reference="PO-2026-118",
        sender_id=SenderId(value="Shop", kind=SenderKind.ALPHANUMERIC),
        cost_centre="4711 Logistik",
        coding=Alphabet.UCS2,
        priority=Priority.EXPRESS,
        delivery_receipt=True,
        flash=True,
        validity=timedelta(hours=2),
    )
    fields = json.loads(pushed(notice(job)))
    recipients = fields.pop("recipients")
    assert fields == {
        "event": "result",
        "noticeId": "N.20261123071519Z77C1A0",
        "jobId": "J.20261123071504Z5D1E2F",
        "src": "Shop",
        "encoding": "UTF-16",
        "billcode": "4711 Logistik",
        "statusRequested": True,
        "flash": True,
        "validityMin": 120,
        "customerRef": "PO-2026-118",
        "qos": "EXPRESS",
        "sandbox": False,
        "service": "mail",
        "user": "anna.keller@example.com",
        "receiptTs": "2026-11-23T07:15:04.000Z",
        "finishedTs": "2026-11-23T07:15:19.000Z",
    }
    assert recipients == [
        {
            "smsId": "S.20261123071504Z9F2C41",
            "dst": "+447700900123",
            "processStatus": "DONE",
            "status": "SUC_FIN",
            "customerRef": "+447700900123@sms.example.net",
            "reason": None,
            "sentTs": "2026-11-23T07:15:05.000Z",
            "finishedTs": "2026-11-23T07:15:19.000Z",
            "state": "delivered",
            "reasonCode": None,
            "parts": 1,
            "partsBilled": 1,
            "countryRules": [],
        }
    ]


def test_an_answer_has_the_number_that_it_came_from_and_several_senders_have_that_of_the_settings():
    shop = SenderId(value="Shop", kind=SenderKind.ALPHANUMERIC)
    answer, other = message(sender_id="+447700900900"), message(sender_id="Shop")
    assert job_fields(report(answer, sender_id=shop))["src"] == "+447700900900"
    assert job_fields(report(answer, other, sender_id=shop))["src"] == "Shop"


def test_what_is_not_set_is_null_and_the_text_of_the_sms_is_nowhere():
    body = pushed(notice(report(message(text="Top secret words", sender_id="")), kind=NoticeKind.ACCEPTED))
    fields = json.loads(body)
    assert fields["event"] == "accepted"
    assert (fields["src"], fields["billcode"], fields["customerRef"]) == (None, None, None)
    assert fields["validityMin"] == Settings().validity.total_seconds() / 60
    assert b"secret" not in body
