"""On mails that the standard library reads without defects, our reader finds the same author, subject and texts.

A name in DIFFERENT is a mail on which we differ on purpose: its label lies, or it holds what the library has no notion of.
"""

import email
import email.policy

import pytest

from mta.charsets import clean_line, clean_text
from mta.mime import Mail, MailLimits, read_mail
from tests.corpus.test_corpus import EXPECTED, read_raw

DIFFERENT = {
    "charset-cp1252-as-latin1-en": "Latin-1 means windows-1252",
    "charset-iso2022jp-ext-ja": "cp932 rows under the plain label",
    "charset-latin1-as-utf8-de": "the label lies",
    "charset-none-8bit-fr": "the label is missing",
    "charset-raw-subject-ja": "raw ISO-2022-JP in a header",
    "charset-raw8-subject-de": "raw Latin-1 in a header",
    "charset-sjis-ja": "cp932 rows under the plain label",
    "charset-unknown-es": "the label is unknown",
    "charset-utf16le-nobom-pl": "no byte order mark",
    "charset-utf8-as-latin1-de": "the label lies",
    "fax-server-es": "the label lies",
    "from-injection-en": "the library raises",
    "from-two-en": "no single author",
    "from-two-fields-en": "no single author",
    "from-none-en": "no author",
    "from-unquoted-comma-de": "the library finds two addresses",
    "sample-s7": "the mail in the reference has lost a byte order",
    "subject-split-words-ja": "a character split over two words",
}


def texts_of_stdlib(message):
    for part in message.walk():
        if part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment":
            yield part.get_content()


def words(text):
    return clean_text(text).split()


def has_defects(message):
    return any(part.defects for part in message.walk())


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - set(DIFFERENT)))
def test_a_mail_reads_as_the_standard_library_reads_it(name):
    raw = read_raw(name)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    if has_defects(message):
        pytest.skip("the library reports defects")
    mail = read_mail(raw, MailLimits())
    assert isinstance(mail, Mail)
    subject = str(message["Subject"] or "")
    assert mail.subject.split() == clean_line(subject).split()
    (author,) = message["From"].addresses
    assert (mail.author, mail.author_name) == (f"{author.username}@{author.domain.lower()}", author.display_name)
    if any(part.get_content_type() == "message/rfc822" for part in message.walk()):
        return
    ours = [words(section.plain) for section in mail.sections if section.plain is not None]
    theirs = [words(text) for text in texts_of_stdlib(message)]
    assert [text for text in ours if text] == [text for text in theirs if text]


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_the_named_differences_are_mails_of_the_corpus(name):
    assert name in EXPECTED
