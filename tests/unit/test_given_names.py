"""Status mails name recipients as the sender did in To and Cc."""

import pytest
from msgspec.structs import replace

from mta.sending.given_names import with_given_names
from tests.kit.status_samples import MAIL, message, report

ANNA = "+447700900123"


def named(header: str, *messages):
    told = with_given_names(report(*messages, mail=replace(MAIL, header=header.encode())))
    return [one.name for one in told.messages]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (f"To: Anna Keller <{ANNA}@sms.example.net>\r\n", "Anna Keller"),
        (f'To: "Keller, Anna" <{ANNA}@SMS.example.net>\r\n', "Keller, Anna"),
        (f"Cc: =?utf-8?q?J=C3=B6rg?= <{ANNA}@sms.example.net>\r\n", "Jörg"),
        (f"To: a@example.com,\r\n Anna <{ANNA}@sms.example.net>\r\n", "Anna"),
        (f"To: {ANNA}@sms.example.net (Anna)\r\n", "Anna"),
        (f"To: '{ANNA}@sms.example.net' <{ANNA}@sms.example.net>\r\n", ""),
        (f"To: {ANNA} <{ANNA}@sms.example.net>\r\n", ""),
        (f"To: {ANNA}@sms.example.net\r\n", ""),
        ("To: undisclosed-recipients:;\r\n", ""),
        (f"Bcc: Anna <{ANNA}@sms.example.net>\r\n", ""),
        ("", ""),
    ],
)
def test_a_recipient_has_the_name_that_the_mail_gave_its_address(header, name):
    assert named(header, message()) == [name]


def test_each_number_has_its_own_name():
    header = "To: Anna <+447700900123@sms.example.net>, Ben <+447700900124@sms.example.net>\r\n"
    assert named(header, message(number="+447700900124"), message()) == ["Ben", "Anna"]


def test_the_name_of_the_mail_goes_before_that_of_the_address_book():
    header = f"To: Anna <{ANNA}@sms.example.net>\r\n"
    assert named(header, message(name="Keller, A."), message(number="+447700900124", name="Ben")) == ["Anna", "Ben"]


def test_the_name_of_a_list_is_nobodys():
    header = "To: Crew <crew@sms.example.net>\r\n"
    assert named(header, message(given="crew@sms.example.net"), message(given="crew@sms.example.net")) == ["", ""]


def test_a_job_without_a_mail_has_no_names_from_one():
    told = report(message(), mail=None)
    assert with_given_names(told) is told
