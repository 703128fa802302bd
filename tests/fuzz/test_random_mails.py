"""Mails put together at random from the pieces that real and broken mails are made of: nothing raises, nothing leaks."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mta.reading.html import QUOTE_MARK, html_text
from mta.reading.options import SubjectOptions, read_options
from mta.reading.quotes import own_words, tidy, unflow
from tests.fuzz import hostile

HEADER_PIECES = st.sampled_from(
    [
        b"From: ", b"From: Anna <a@example.com>\r\n", b"Subject: ", b"=?utf-8?q?=0D=0ABcc:_x?=", b"=?utf-8?b?DQpCY2M6IGV2aWw=?=",
        b"=?iso-2022-jp?B?GyRCPmMzMk8iTW0bKEI=?=", b"=?x?q??=", b"=?utf-7?q?+2D0-?=", b"\r\n", b"\n", b"\r", b" \r\n\t", b"Content-Type: ",
        b"multipart/mixed; boundary=b", b"multipart/alternative; boundary=b", b"multipart/report; report-type=x", b"text/html",
        b"text/plain; charset=", b"utf-16", b"utf-7", b"hz", b"iso-2022-kr", b"gb18030", b"unicode_escape", b"idna", b"; format=flowed; delsp=yes",
        b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n", b"message/rfc822",
        b"application/ms-tnef", b"application/pkcs7-mime", b"; filename*0*=utf-8''%0d%0a; filename*1=x", b"Message-ID: <x@y>\r\n",
        b"References: <a@b> <c", b"X-Priority: 1\r\n", b"(", b'"', b"<", b">", b",", b";", b":", b"@", b"\\", b"\x00", b"\xff",
    ]
)  # fmt: skip
BODY_PIECES = st.sampled_from(
    [
        b"--b\r\n", b"--b--\r\n", b"\r\n", b"\r\n\r\n", b"> ", b"-- \r\n", b"On 1.1.2026 10:00, a@b wrote:\r\n", b"From: a\r\nSent: 1\r\nTo: b\r\nSubject: c\r\n",
        b"-----Original Message-----\r\n", b"<p>", b"</p>", b"<div class=gmail_quote>", b"<div id=Signature>", b"<blockquote type=cite>",
        b"<table><tr><td>", b"</table>", b"<a href='https://example.com/'>", b"<!--", b"-->", b"<script>", b"<style>p{margin:0}", b"&nbsp;", b"&#13;&#10;&#0;",
        b"<span style='mso-list:Ignore'>", b"<li>", b"<ol start=7>", b"<br>", b"<a name=_MailAutoSig>", b"\x1b$B", b"\x1b(B", b"=0D=0A", b"=\r\n", b"AAAA",
        b"Sent from my iPhone\r\n", b"[cid:x]", b"<https://example.com/>", b"\xe2\x80\xa8", b"\xc2\x85", b"\xff\xfe", b"\x00", b"hello ", "é漢字🚗".encode(),
    ]
)  # fmt: skip


@st.composite
def mails(draw):
    header = b"".join(draw(st.lists(HEADER_PIECES, max_size=25)))
    body = b"".join(draw(st.lists(BODY_PIECES, max_size=40)))
    return header + draw(st.sampled_from([b"\r\n\r\n", b"\n\n", b""])) + body


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=2000))
def test_any_octets_are_a_mail_or_a_refusal(raw):
    hostile.take(raw)


@settings(max_examples=5 * settings().max_examples, suppress_health_check=[HealthCheck.too_slow])
@given(mails())
def test_any_pieces_of_mails_are_a_mail_or_a_refusal(raw):
    hostile.take(raw)


@given(st.text(max_size=80), st.sampled_from(["sms.example.net", "", "x..y", "[1.2.3.4]", "müller.example"]))
def test_any_recipient_address_is_taken_apart_or_refused(local, domain):
    hostile.take_an_address(f"{local}@{domain}")


@given(st.binary(max_size=400), st.sampled_from([b"", b"\x78\x9f\x3e\x22\x00\x00\x01\x03\x90\x06\x00"]))
def test_any_octets_are_tnef_or_nothing(octets, start):
    hostile.take(
        b"From: a@example.com\r\nContent-Type: application/ms-tnef\r\n\r\n" + start + octets,
    )


@given(st.text(max_size=300))
def test_any_text_is_html_and_leaves_no_mark_of_ours(text):
    read = html_text(text.replace("\ue000", "").replace("\ue001", ""))
    assert QUOTE_MARK not in read.text


@given(st.lists(st.sampled_from(["> a", "b", "", "-- ", "--", "On 1.1.2026 10:00, a@b.c wrote:", "x:"]), max_size=30))
def test_own_words_are_lines_of_the_mail_in_their_order(lines):
    words = own_words("\n".join(lines), is_reply=True).text.split("\n")
    remaining = iter(lines)
    assert all(any(tidy(line) == word for line in remaining) for word in words if word)


@given(st.text(alphabet="ab >-\n", max_size=100), st.booleans())
def test_unflowing_keeps_every_word(text, delete_space):
    kept = unflow(text, delete_space=delete_space)
    assert kept.translate({32: None, 10: None, 62: None}) == text.translate({32: None, 10: None, 62: None})


@given(st.text(max_size=60))
def test_a_subject_without_brackets_has_no_options(text):
    subject = text.replace("[", "(").replace("]", ")")
    options = read_options(subject)
    assert isinstance(options, SubjectOptions)
    assert options.subject == subject.strip()
    assert not options.patch
