"""What makes two mails one submission, and two texts a duplicate."""

import pytest

from gateway.dedup_keys import duplicate_key, resubmission_key
from mta.reading.dedup_keys import mail_digest
from mta.reading.mime import MailLimits, ParsedMail, read_mail

MAIL = b"Received: from a by b; Mon\r\n\tmore\r\nFrom: a@example.com\r\nDate: Mon, 23 Nov 2026 09:02:10 +0000\r\nMessage-ID: <1@example.com>\r\nSubject: x\r\n\r\nhello\r\n"


def digest(raw, client="192.0.2.7"):
    mail = read_mail(raw, MailLimits())
    assert isinstance(mail, ParsedMail)
    return mail_digest(mail, raw, client)


@pytest.mark.parametrize(
    "again",
    [
        b"Received: from c by d; Tue\r\n" + MAIL,
        MAIL.replace(b"from a by b", b"from z by y"),
        MAIL.replace(b"Subject: x", b"Subject: [EXT] x"),
    ],
)
def test_a_mail_that_comes_again_by_another_way_is_the_same(again):
    assert digest(again) == digest(MAIL)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"<1@", b"<2@"), (b"hello", b"hallo"), (b"a@example.com", b"b@example.com"), (b"09:02", b"09:03")],
)
def test_another_id_author_date_or_body_is_another_mail(old, new):
    assert digest(MAIL.replace(old, new)) != digest(MAIL)


def test_without_an_id_all_but_received_counts_and_the_client():
    bare = MAIL.replace(b"Message-ID: <1@example.com>\r\n", b"")
    assert digest(bare.replace(b"from a by b", b"from z by y")) == digest(bare)
    assert digest(bare.replace(b"Subject: x", b"Subject: y")) != digest(bare)
    assert digest(bare, "192.0.2.8") != digest(bare)
    assert digest(MAIL, "192.0.2.8") == digest(MAIL)


def test_a_key_belongs_to_one_customer_and_one_recipient():
    one = digest(MAIL)
    keys = {
        resubmission_key(one, "acme", "+447700900101"),
        resubmission_key(one, "acme", "+447700900102"),
        resubmission_key(one, "other", "+447700900101"),
        resubmission_key(one, "acme+447", "700900101"),
        duplicate_key("acme", "+447700900101", "hello"),
        duplicate_key("acme", "+447700900101", "hello "),
    }
    assert len(keys) == 6
    assert sorted(map(len, keys)) == [16, 16, 20, 20, 20, 20]
    assert duplicate_key("acme", "+447700900101", "hello") in keys


def test_keys_of_one_mail_begin_alike_and_tell_its_recipients_apart_by_the_rest():
    one, two = digest(MAIL), digest(MAIL.replace(b"hello", b"hallo"))
    keys = [resubmission_key(one, "acme", f"+4477009001{number:02}") for number in range(50)]
    assert len({key[:4] for key in keys}) == 1
    assert len({key[4:] for key in keys}) == 50
    assert not resubmission_key(two, "acme", "+447700900101").startswith(keys[0][:4])
