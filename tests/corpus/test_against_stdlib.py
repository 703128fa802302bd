"""Where the standard library reads a mail well, our reader finds the same author, subject and texts.

A name in DIFFERENT is a mail on which we differ on purpose: its label lies, or it holds what the library has no notion
of.
"""

import email
import email.policy

import pytest

from mta.reading.charsets import clean_line, clean_text
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from tests.corpus.test_corpus import EXPECTED, read_raw

DIFFERENT = {
    "base64-footer-in-clear-en": "the library drops what is not base64",
    "base64-lie-en": "text that only claims to be base64",
    "base64-lie-one-word-en": "text that only claims to be base64",
    "charset-cp1252-as-latin1-en": "Latin-1 means windows-1252",
    "charset-iso2022jp-ext-ja": "cp932 rows under the plain label",
    "charset-latin1-as-utf8-de": "the label lies",
    "charset-none-8bit-fr": "the label is missing",
    "charset-raw-subject-ja": "raw ISO-2022-JP in a header",
    "charset-raw8-subject-de": "raw Latin-1 in a header",
    "charset-sjis-ja": "cp932 rows under the plain label",
    "charset-spelled-oddly-ru": "the library does not know the spelling",
    "charset-unknown-es": "the label is unknown",
    "charset-utf8-as-big5-zh": "the label lies",
    "charset-utf8-as-cp1251-ru": "the label lies",
    "charset-utf8-as-latin1-de": "the label lies",
    "charset-viscii-vi": "the library lacks the charset",
    "cron-en": "the name stands in a comment",
    "drop-dsn-postfix-en": "the name stands in a comment",
    "encoding-comment-de": "the encoding has a comment",
    "fax-server-es": "the label lies",
    "from-injection-en": "the library raises",
    "from-none-en": "no author",
    "from-two-en": "no single author",
    "from-two-fields-en": "no single author",
    "from-unquoted-comma-de": "the library finds two addresses",
    "html-without-tags-en": "plain text that calls itself HTML",
    "mime-boundary-lost-de": "the boundary is not declared",
    "mime-boundary-wrong-de": "another boundary is declared",
    "mime-encoded-multipart-de": "a multipart that was encoded",
    "mime-header-in-body-de": "the header stands in the body",
    "no-boundary-en": "a multipart without a boundary is text",
    "plain-holds-fragment-en": "HTML that calls itself plain",
    "sap-euro-es": "Latin-1 means windows-1252",
    "smime-opaque-signed-de": "the library does not look into CMS",
    "type-in-quotes-de": "the type is in quotation marks",
    "type-unknown-text-en": "an unknown kind of text",
}


def texts_of_stdlib(message):
    for part in message.walk():
        if part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment":
            yield part.get_content()


def words(text):
    return clean_text(text).split()


def readings_of(name):
    """Return author, subject and texts of a mail, as we read it and as the library does."""
    raw = read_raw(name)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    mail = read_mail(raw, MailLimits())
    assert isinstance(mail, ParsedMail)
    ours = [words(section.plain) for section in mail.sections if section.plain is not None]
    theirs = [words(text) for text in texts_of_stdlib(message)]
    if any(part.get_content_type() == "message/rfc822" for part in message.walk()):
        theirs = ours
    (author,) = message["From"].addresses
    return (
        (mail.author, mail.author_name, mail.subject.split(), [text for text in ours if text]),
        (
            f"{author.username}@{author.domain.lower()}",
            author.display_name,
            clean_line(str(message["Subject"] or "")).split(),
            [text for text in theirs if text],
        ),
    )


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - set(DIFFERENT)))
def test_a_mail_reads_as_the_standard_library_reads_it(name):
    ours, theirs = readings_of(name)
    assert ours == theirs


def test_every_named_difference_is_a_mail_of_the_corpus():
    assert set(DIFFERENT) <= set(EXPECTED)
