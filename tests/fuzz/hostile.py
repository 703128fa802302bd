"""Mails made to hurt, and the one property that every mail must keep; shared by the sample and the search."""

import base64

from mta.words.addresses import read_recipient
from mta.words.automatic import classify
from mta.words.body import ExtractedText, extract_text
from mta.words.intake import mail_digest
from mta.words.mime import MailLimits, read_attachment, read_mail
from mta.words.options import SubjectOptions, read_options
from sms.outcome import Refused
from sms.settings import Settings, TextSource

CPU_LIMIT = 1.0
MEMORY_LIMIT = 64 * 1024 * 1024
BREAKS = {*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029"}


def take(raw):
    """Take a mail through all of intake and return it with its text; everything that leaves is checked."""
    mail = read_mail(raw, MailLimits())
    if isinstance(mail, Refused):
        assert one_line(mail.detail)
        return mail, None
    for text in (mail.author, mail.author_name, mail.subject, mail.message_id, mail.date, *mail.references):
        assert one_line(text), repr(text)
    for name in mail.fields:
        assert one_line(mail.text(name))
    for attachment in mail.attachments[:20]:
        assert one_line(attachment.name)
        read_attachment(raw, attachment, 10_000)
    classify(mail, mail.author, own_message_id=lambda _: False, own_domains={"sms.example.net"})
    mail_digest(mail, raw)
    options = read_options(mail.subject)
    subject = options.subject if isinstance(options, SubjectOptions) else mail.subject
    found = extract_text(mail, Settings(text_source=TextSource.BOTH, sender_prefix=True), subject=subject)
    if isinstance(found, ExtractedText):
        assert found.text.strip()
        assert not (BREAKS - {"\n"}) & set(found.text)
        found.text.encode("utf-8")
    else:
        assert one_line(found.detail)
    return mail, found


def one_line(text):
    return not BREAKS & set(text)


def take_an_address(text):
    found = read_recipient(text, prefixes=("SMS", "PAGER"))
    if not isinstance(found, Refused):
        assert (found.number or found.list_name).isascii()
        assert one_line(found.number + found.list_name + found.domain)


def html_mail(html):
    body = html.encode() if isinstance(html, str) else html
    return b"From: a@example.com\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body


def text_mail(text):
    body = text.encode() if isinstance(text, str) else text
    return b"From: a@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body


def nested_multiparts(depth, kind=b"multipart/mixed"):
    raw = b"From: a@example.com\r\n"
    for level in range(depth):
        raw += b"Content-Type: %s; boundary=b%d\r\n\r\n--b%d\r\n" % (kind, level, level)
    return raw + b"Content-Type: text/plain\r\n\r\nfound\r\n"


def many_parts(count):
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    return b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count + b"--b--\r\n"


def header_mail(field):
    return b"From: a@example.com\r\n" + field + b"\r\n\r\nhello\r\n"


MEGA = 1_000_000

HOSTILE = {
    "2000 nested multiparts": nested_multiparts(2000),
    "2000 nested attached mails": b"From: a@example.com\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2000,
    "29 nested alternatives": nested_multiparts(29, b"multipart/alternative"),
    "10000 parts": many_parts(10_000),
    "900 parts": many_parts(900),
    "a boundary of 2 KB": b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n\r\nx\r\n"
    % (b"b" * 2000, b"b" * 2000),
    "a million lines like a boundary": b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--bb\r\n" * MEGA,
    "boundaries within a line": b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b" * MEGA,
    "20000 encoded words": header_mail(b"Subject: " + b"=?utf-8?q?a?= " * 20_000),
    "3500 encoded words": header_mail(b"Subject: " + b"=?utf-8?q?a?= " * 3_500),
    "half encoded words": header_mail(b"Subject: " + b"=?utf-8?q?a" * 4_000),
    "encoded words of other charsets": header_mail(b"Subject: " + b"=?koi8-r?b?4Q=?= =?x?q?=E1?= " * 1_900),
    "20000 To fields": b"From: a@example.com\r\n" + b"To: x@example.com\r\n" * 20_000 + b"\r\nhello",
    "1 MB of one field": header_mail(b"Subject: " + b"x" * MEGA),
    "90 KB of From": header_mail(b"From: " + b'"' * 90_000),
    "90 KB of comments": b"From: " + b"(" * 90_000 + b"\r\n\r\nx",
    "90 KB of angles": b"From: " + b"<a@b>," * 15_000 + b"\r\n\r\nx",
    "90 KB of parameters": header_mail(b"Content-Type: text/plain" + b"; a=b" * 18_000),
    "90 KB of semicolons and blanks": header_mail(b"Content-Type: text/plain" + b"; " * 45_000),
    "90 KB of quoted parameter": header_mail(b'Content-Type: text/plain; charset="' + b"\\" * 90_000),
    "parameter pieces": header_mail(b"Content-Type: text/plain" + b"".join(b"; n*%d*=%%41" % n for n in range(8_000))),
    "90 KB of folded blanks": header_mail(b"Subject: x" + b"\r\n " * 30_000),
    "90 KB of message ids": header_mail(b"References: " + b"<a@b>" * 18_000),
    "90 KB of open message ids": header_mail(b"References: " + b"<" * 90_000),
    "50000 nested divs": html_mail("<div>" * 50_000 + "x"),
    "20000 nested tables": html_mail("<table><tr><td>" * 20_000 + "x"),
    "20000 nested lists": html_mail("<ul><li>" * 20_000 + "x"),
    "20000 nested links": html_mail("<a href='https://example.com/'>x" * 20_000),
    "formatting that is reopened": html_mail(
        "<p>" + "".join(f"<b id={n}>" for n in range(2_000)) + "</p>" + "<p>x</p>" * 2_000
    ),
    "a little formatting that is reopened": html_mail(
        "<p>" + "".join(f"<b id={n}>" for n in range(290)) + "</p>" + "<p>x" * 300
    ),
    "nested selects": html_mail("<select>" * 50_000),
    "misnested formatting": html_mail("<a><b><i><p>" * 20_000),
    "unclosed comment": html_mail("<!--" * 200_000),
    "unclosed tag": html_mail("<a " * 300_000),
    "one attribute of 1 MB": html_mail("<div style='" + "display:" * 120_000 + "'>x</div>"),
    "100000 attributes": html_mail("<div " + "a=b " * 100_000 + ">x</div>"),
    "distinct attributes": html_mail("<div " + "".join(f"a{n}=b " for n in range(50_000)) + ">x</div>"),
    "1 MB of entities": html_mail("&amp;" * 200_000),
    "a style sheet without end": html_mail("<style>" + ".a{" * 300_000),
    "a style sheet of paragraphs": html_mail("<style>" + "p " * 9_000 + "</style><p>x"),
    "gmail quotes in each other": html_mail("<div class=gmail_quote>" * 5_000 + "x"),
    "1 MB of quote marks": text_mail(">" * MEGA),
    "200000 quoted lines": text_mail("> x\r\n" * 200_000),
    "colons at line ends": text_mail("On 1.1.2026 10:00 a@b wrote:\r\nx:\r\n" * 20_000),
    "labels on every line": text_mail("From: a\r\nTo: b\r\nx\r\n" * 50_000),
    "rules on every line": text_mail("_____\r\n" * 100_000),
    "dashes on every line": text_mail("--- a ---\r\n" * 100_000),
    "signature marks on every line": text_mail("a\r\n--\r\n" * 100_000),
    "disclaimers on every line": text_mail("This message is for you\r\n\r\n" * 50_000),
    "footers on every line": text_mail("x\r\n" + "Sent from my iPhone\r\n" * 100_000),
    "closings on every line": text_mail("Regards\r\n" * 100_000),
    "a mark above a long word": text_mail("a\r\n--\r\nb c " + "d" * MEGA),
    "a frame of blanks": text_mail("--- x" + " " * MEGA + "y --- z"),
    "a closing above a long word": text_mail("Regards\r\nA\r\n" + "d" * MEGA + "\r\ne\r\nf\r\n"),
    "a label of blanks": text_mail("From" + " " * MEGA + ":"),
    "a long line with a colon": text_mail("On " + "wrote " * 200_000 + ":"),
    "one line of 2 MB": text_mail("x" * 2 * MEGA),
    "one line of 2 MB in words": text_mail("sent from my " * 150_000),
    "angle brackets": text_mail("<http://" * 100_000),
    "text and links": text_mail("x<https://example.com/" * 50_000),
    "square brackets": text_mail("[cid:" * 100_000),
    "armour without end": text_mail("-----BEGIN PGP SIGNED MESSAGE-----\n\n" * 20_000),
    "flowed lines": b"From: a@example.com\r\nContent-Type: text/plain; format=flowed\r\n\r\n" + b"x \r\n" * 200_000,
    "line ends only": text_mail("\r\n" * MEGA),
    "a megabyte of NUL": text_mail(b"\x00" * MEGA),
    "escapes of Japanese mail": b"From: a@example.com\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
    + b"\x1b$B!!\x1b(B" * 100_000,
    "a charset that is a transform": b"From: a@example.com\r\nContent-Type: text/plain; charset=zlib\r\n\r\n\xff",
    "a quadratic charset": b"From: a@example.com\r\nContent-Type: text/plain; charset=punycode\r\n\r\n" + b"a-b\xe4" * 90_000,
    "20 MB attachment": b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n"
    b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 19 * 1000 * 250 + b"\r\n--b--\r\n",
    "20 MB of text": text_mail(b"all work and no play\r\n" * MEGA),
    "20 MB of HTML": html_mail(b"<p>all work and no play</p>\r\n" * 700_000),
    "soft breaks": b"From: a@example.com\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"=\r\n" * 500_000,
    "a TNEF bomb": b"From: a@example.com\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(
        b"\x78\x9f\x3e\x22\x00\x00\x01\x03\x90\x06\x00\xff\xff\x00\x00" + b"\x01\x00\x00\x00\x02\x01\x09\x10" + b"\xff" * 65_000
    ),
}  # fmt: skip


def rtf_bomb():
    """Return a TNEF mail whose compressed RTF says that it is 4 GB long and repeats itself for ever."""
    body = bytearray()
    for _ in range(60_000):
        body += b"\xff" + b"\x00\x0f" * 8
    content = len(body).to_bytes(4, "little") + b"\xff\xff\xff\xff" + b"LZFu" + bytes(4) + bytes(body)
    value = (
        b"\x02\x01\x09\x10\x01\x00\x00\x00" + len(content).to_bytes(4, "little") + content + bytes(-len(content) % 4)
    )
    properties = b"\x01\x00\x00\x00" + value
    stream = (
        b"\x78\x9f\x3e\x22\x00\x00\x01\x03\x90\x06\x00" + len(properties).to_bytes(4, "little") + properties + b"\0\0"
    )
    return (
        b"From: a@example.com\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(stream)
    )
