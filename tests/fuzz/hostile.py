"""Mails made to hurt, and the one property that every mail must keep; shared by the sample and the search."""

import base64
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from addressbook.table_file import MAIL_ROWS_LIMIT, read_table
from mta.reading.addresses import read_recipient
from mta.reading.automatic import classify
from mta.reading.body import ExtractedText, extract_text
from mta.reading.dedup_keys import mail_digest
from mta.reading.mime import MailLimits, read_attachment, read_mail
from mta.reading.options import SubjectOptions, read_options
from sms.outcome import Refused
from sms.settings import Settings, TextSource

LOOPS_LIMIT = 150  # of tests.kit.effort
SMALL_LOOPS_LIMIT = 15
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
    mail_digest(mail, raw, "x")
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


def seeds():
    """Yield the mails that a search begins with."""
    for file in sorted((Path(__file__).parents[1] / "corpus" / "mails").iterdir()):
        yield file.read_bytes()


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


class Made(Mapping[str, bytes]):
    """Octets by name, made when they are asked for: all together they are half a gigabyte."""

    def __init__(self, makers: Mapping[str, Callable[[], bytes]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> bytes:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


MEGA = 1_000_000

HOSTILE = Made({
    "2000 nested multiparts": lambda: nested_multiparts(2000),
    "2000 nested attached mails": lambda: b"From: a@example.com\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2000,
    "29 nested alternatives": lambda: nested_multiparts(29, b"multipart/alternative"),
    "10000 parts": lambda: many_parts(10_000),
    "900 parts": lambda: many_parts(900),
    "a boundary of 2 KB": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n\r\nx\r\n"
    % (b"b" * 2000, b"b" * 2000),
    "a million lines like a boundary": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--bb\r\n" * MEGA,
    "boundaries within a line": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b" * MEGA,
    "20000 encoded words": lambda: header_mail(b"Subject: " + b"=?utf-8?q?a?= " * 20_000),
    "3500 encoded words": lambda: header_mail(b"Subject: " + b"=?utf-8?q?a?= " * 3_500),
    "half encoded words": lambda: header_mail(b"Subject: " + b"=?utf-8?q?a" * 4_000),
    "encoded words of other charsets": lambda: header_mail(b"Subject: " + b"=?koi8-r?b?4Q=?= =?x?q?=E1?= " * 1_900),
    "20000 To fields": lambda: b"From: a@example.com\r\n" + b"To: x@example.com\r\n" * 20_000 + b"\r\nhello",
    "1 MB of one field": lambda: header_mail(b"Subject: " + b"x" * MEGA),
    "90 KB of From": lambda: header_mail(b"From: " + b'"' * 90_000),
    "90 KB of comments": lambda: b"From: " + b"(" * 90_000 + b"\r\n\r\nx",
    "90 KB of angles": lambda: b"From: " + b"<a@b>," * 15_000 + b"\r\n\r\nx",
    "90 KB of parameters": lambda: header_mail(b"Content-Type: text/plain" + b"; a=b" * 18_000),
    "90 KB of semicolons and blanks": lambda: header_mail(b"Content-Type: text/plain" + b"; " * 45_000),
    "90 KB of quoted parameter": lambda: header_mail(b'Content-Type: text/plain; charset="' + b"\\" * 90_000),
    "parameter pieces": lambda: header_mail(b"Content-Type: text/plain" + b"".join(b"; n*%d*=%%41" % n for n in range(8_000))),
    "90 KB of folded blanks": lambda: header_mail(b"Subject: x" + b"\r\n " * 30_000),
    "90 KB of message ids": lambda: header_mail(b"References: " + b"<a@b>" * 18_000),
    "90 KB of open message ids": lambda: header_mail(b"References: " + b"<" * 90_000),
    "50000 nested divs": lambda: html_mail("<div>" * 50_000 + "x"),
    "20000 nested tables": lambda: html_mail("<table><tr><td>" * 20_000 + "x"),
    "20000 nested lists": lambda: html_mail("<ul><li>" * 20_000 + "x"),
    "20000 nested links": lambda: html_mail("<a href='https://example.com/'>x" * 20_000),
    "formatting that is reopened": lambda: html_mail(
        "<p>" + "".join(f"<b id={n}>" for n in range(2_000)) + "</p>" + "<p>x</p>" * 2_000
    ),
    "a little formatting that is reopened": lambda: html_mail(
        "<p>" + "".join(f"<b id={n}>" for n in range(290)) + "</p>" + "<p>x" * 300
    ),
    "nested selects": lambda: html_mail("<select>" * 50_000),
    "misnested formatting": lambda: html_mail("<a><b><i><p>" * 20_000),
    "unclosed comment": lambda: html_mail("<!--" * 200_000),
    "unclosed tag": lambda: html_mail("<a " * 300_000),
    "one attribute of 1 MB": lambda: html_mail("<div style='" + "display:" * 120_000 + "'>x</div>"),
    "100000 attributes": lambda: html_mail("<div " + "a=b " * 100_000 + ">x</div>"),
    "distinct attributes": lambda: html_mail("<div " + "".join(f"a{n}=b " for n in range(50_000)) + ">x</div>"),
    "1 MB of entities": lambda: html_mail("&amp;" * 200_000),
    "a style sheet without end": lambda: html_mail("<style>" + ".a{" * 300_000),
    "a style sheet of paragraphs": lambda: html_mail("<style>" + "p " * 9_000 + "</style><p>x"),
    "gmail quotes in each other": lambda: html_mail("<div class=gmail_quote>" * 5_000 + "x"),
    "1 MB of quote marks": lambda: text_mail(">" * MEGA),
    "200000 quoted lines": lambda: text_mail("> x\r\n" * 200_000),
    "colons at line ends": lambda: text_mail("On 1.1.2026 10:00 a@b wrote:\r\nx:\r\n" * 20_000),
    "labels on every line": lambda: text_mail("From: a\r\nTo: b\r\nx\r\n" * 50_000),
    "rules on every line": lambda: text_mail("_____\r\n" * 100_000),
    "dashes on every line": lambda: text_mail("--- a ---\r\n" * 100_000),
    "signature marks on every line": lambda: text_mail("a\r\n--\r\n" * 100_000),
    "disclaimers on every line": lambda: text_mail("This message is for you\r\n\r\n" * 50_000),
    "footers on every line": lambda: text_mail("x\r\n" + "Sent from my iPhone\r\n" * 100_000),
    "closings on every line": lambda: text_mail("Regards\r\n" * 100_000),
    "a mark above a long word": lambda: text_mail("a\r\n--\r\nb c " + "d" * MEGA),
    "a frame of blanks": lambda: text_mail("--- x" + " " * MEGA + "y --- z"),
    "a closing above a long word": lambda: text_mail("Regards\r\nA\r\n" + "d" * MEGA + "\r\ne\r\nf\r\n"),
    "a label of blanks": lambda: text_mail("From" + " " * MEGA + ":"),
    "a long line with a colon": lambda: text_mail("On " + "wrote " * 200_000 + ":"),
    "one line of 2 MB": lambda: text_mail("x" * 2 * MEGA),
    "one line of 2 MB in words": lambda: text_mail("sent from my " * 150_000),
    "angle brackets": lambda: text_mail("<http://" * 100_000),
    "text and links": lambda: text_mail("x<https://example.com/" * 50_000),
    "square brackets": lambda: text_mail("[cid:" * 100_000),
    "armour without end": lambda: text_mail("-----BEGIN PGP SIGNED MESSAGE-----\n\n" * 20_000),
    "flowed lines": lambda: b"From: a@example.com\r\nContent-Type: text/plain; format=flowed\r\n\r\n" + b"x \r\n" * 200_000,
    "line ends only": lambda: text_mail("\r\n" * MEGA),
    "a megabyte of NUL": lambda: text_mail(b"\x00" * MEGA),
    "escapes of Japanese mail": lambda: b"From: a@example.com\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
    + b"\x1b$B!!\x1b(B" * 100_000,
    "a charset that is a transform": lambda: b"From: a@example.com\r\nContent-Type: text/plain; charset=zlib\r\n\r\n\xff",
    "a quadratic charset": lambda: b"From: a@example.com\r\nContent-Type: text/plain; charset=punycode\r\n\r\n" + b"a-b\xe4" * 90_000,
    "20 MB attachment": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n"
    b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 19 * 1000 * 250 + b"\r\n--b--\r\n",
    "20 MB of text": lambda: text_mail(b"all work and no play\r\n" * MEGA),
    "20 MB of HTML": lambda: html_mail(b"<p>all work and no play</p>\r\n" * 700_000),
    "soft breaks": lambda: b"From: a@example.com\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"=\r\n" * 500_000,
    "a TNEF bomb": lambda: b"From: a@example.com\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(
        b"\x78\x9f\x3e\x22\x00\x00\x01\x03\x90\x06\x00\xff\xff\x00\x00" + b"\x01\x00\x00\x00\x02\x01\x09\x10" + b"\xff" * 65_000
    ),
    "10000 nested multiparts": lambda: nested_multiparts(10_000),
    "29 levels of lines like their boundaries": lambda: b"From: a@example.com\r\n"
    + b"".join(b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"c" * n, b"c" * n) for n in range(1, 30))
    + b"\r\n" + (b"--" + b"c" * 40 + b"\r\n") * 90_000,
    "50 texts of labels": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\nContent-Type: text/plain\r\n\r\n" + b"From: x\r\nTo: y\r\n" * 2_400 + b"\r\n") * 50,
    "50 pages of HTML": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\nContent-Type: text/html\r\n\r\n" + b"<p>a<td>" * 5_000 + b"\r\n") * 50,
    "100000 fields": lambda: b"From: a@example.com\r\n" + b"X: y\r\n" * 100_000 + b"\r\nhello",
    "an encoded word of 90 KB": lambda: header_mail(b"Subject: =?utf-8?b?" + b"QUJD" * 22_000 + b"?="),
    "an encoded word of 40 MB": lambda: header_mail(b"Subject: =?utf-8?b?" + b"QUJD" * 10 * MEGA + b"?="),
    "9000 options": lambda: header_mail(b"Subject: " + b"[FLASH:ON]" * 9_000),
    "options without end": lambda: header_mail(b"Subject: " + b"[INFO:" * 15_000),
    "2500 blackout periods": lambda: header_mail(
        b"Subject: [BLACKOUTPERIODS:" + b"2026-11-23T10:00Z/2026-11-23T12:00Z," * 2_500 + b"x]"
    ),
    "a staircase of quotes": lambda: text_mail("".join(">" * (n % 900) + " x\r\n" for n in range(4_000))),
    "quotes and words in turn": lambda: text_mail("a\r\n> b\r\n" * 200_000),
    "attributions and quotes": lambda: text_mail("x <a@b.example> 1.1.2026 10:00:\r\n> b\r\n" * 50_000),
    "100000 cells in a row": lambda: html_mail("<table><tr>" + "<td>x</td>" * 100_000),
    "100000 cells in rows": lambda: html_mail("<table>" + "<tr><td>x</td><td>y</td></tr>" * 50_000),
    "100000 nested elements": lambda: html_mail("<div><span>" * 50_000 + "x"),
    "huge selectors": lambda: html_mail("<style>" + (".a" * 400 + ",") * 1_200 + "{display:none}</style><p class=a>x</p>"),
    "40000 hidden classes": lambda: html_mail(
        "<style>" + "".join(f".a{n} {{display:none}}" for n in range(40_000)) + "</style><p class=a1>x</p>"
    ),
    "rules without end": lambda: html_mail("<style>" + ".abc { display " * 50_000 + "</style><p>x</p>"),
    "media queries without end": lambda: html_mail("<style>" + "@media { a { b } " * 50_000 + "</style><p>x</p>"),
    "a style sheet without braces": lambda: html_mail("<style>" + "a" * 20_000 + "</style><p>x</p>"),
    "media queries without braces": lambda: html_mail("<style>" + "@media " * 3_000 + "</style><p>x</p>"),
    "20000 style sheets": lambda: html_mail("<style>.a{display:none}" * 20_000 + "<p>x"),
    "selectors of blanks": lambda: html_mail("<style>" + " " * 150_000 + "{display:none}</style><p>x</p>"),
    "a class of 1 MB": lambda: html_mail("<p class='" + "a " * 400_000 + "'>x</p>"),
    "headers of Outlook in each other": lambda: html_mail("<div style='border-top:solid #E1E1E1'>" * 20_000 + "x"),
    "signature breaks in each other": lambda: html_mail("<br id=lineBreakAtBeginningOfSignature><div>" * 20_000 + "<blockquote>x"),
    "elements without size in each other": lambda: html_mail("<div style='font-size:0'>" * 20_000 + "x"),
    "words for pictures": lambda: text_mail("[description " * 150_000),
    "openings for pictures": lambda: text_mail(("[" + "a" * 299) * 6_000),
    "long rules and labels": lambda: text_mail(("_" * 32 + "\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\n") * 20_000),
    "boxes of Notes": lambda: text_mail("|------------>\r\n| X: |\r\n" * 50_000),
    "links of Outlook": lambda: text_mail(("outlook " * 15 + "\r\n") * 15_000),
    "verbs with a gap": lambda: text_mail("heeft " * 60_000 + ":\r\n> x"),
    "base64 and junk": lambda: b"From: a@example.com\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"!A" * 900_000,
    "boundaries between words": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"x --b y " * 200_000,
    "boundaries in blanks": lambda: b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"  --b  \r\n" * 150_000,
    "fields run together": lambda: header_mail(b"Subject: x " * 8_000),
    "quoted headers": lambda: text_mail("From: a\r\nSent: b\r\nTo: c\r\nSubject: d\r\n\r\n" * 25_000),
    "halves of quoted headers": lambda: text_mail("From: a\r\nSent: b\r\n" * 40_000),
    "footers of clients": lambda: text_mail("Sent from my iPhone\r\n" * 50_000),
    "separators of clients": lambda: text_mail("-----Original Message-----\r\n" * 40_000),
    "combining marks": lambda: text_mail("e" + "\N{COMBINING ACUTE ACCENT}" * 500_000),
    "compressed RTF that says it is 4 GB": rtf_bomb,
})  # fmt: skip


def workbook(sheet, shared=""):
    """Return a workbook with this content of its one sheet and of its shared texts, as far as a reader asks for it."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    book = '<sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="x"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}">{book}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{shared}</sst>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def written(place, text):
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


NAMES = f'<row r="1">{written("A1", "number")}{written("B1", "name")}</row>'
TABLES = Made(
    {
        "a cell of 7 MB": lambda: workbook(
            NAMES + f'<row r="2">{written("A2", "1")}{written("B2", "x" * 7 * MEGA)}</row>'
        ),
        "a cell of 90 MB": lambda: workbook(
            NAMES + f'<row r="2">{written("A2", "1")}{written("B2", "x" * 90 * MEGA)}</row>'
        ),
        "a million shared texts": lambda: workbook(
            NAMES + f'<row r="2">{written("A2", "1")}</row>', "<si/>" * 1_500_000
        ),
        "two cells at the ends of the sheet": lambda: workbook(
            NAMES + f'<row r="1048576">{written("XFD1048576", "x")}</row>'
        ),
        "two cells 49999 rows apart": lambda: workbook(NAMES + f'<row r="49999">{written("A49999", "x")}</row>'),
        "many numbers": lambda: workbook(
            NAMES
            + "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="B{n}"><v>2</v></c></row>' for n in range(2, 49_000))
        ),
        "many rows of text": lambda: b"number,a\n" + b"+4477009001,2\n" * 49_000,
        "many columns of text": lambda: (
            b",".join(b"c%d" % n for n in range(60)) + b"\n" + (b"11," * 59 + b"22\n") * 3_300
        ),
        "one field of 50 MB": lambda: b"number,name\r\n+447700900101," + b"x" * 50 * MEGA,
        "one field of 4.9 MB": lambda: b"number,name\r\n+447700900101," + b"x" * 4_900_000,
        "quoted lines": lambda: b"number,name\r\n" + b'"aa\n",' * 800_000,
        "quotes only": lambda: b"number,name\r\n" + b'"' * 4_900_000,
        "delimiters only": lambda: b"number," + b"," * 4_900_000,
        "line ends only": lambda: b"number\n" + b"\n" * 4_900_000,
        "wide characters": lambda: "number,\N{AUTOMOBILE}\n".encode() + b"+4477009001," + b"2" * 4_800_000,
        "an archive of ends": lambda: b"PK\x03\x04" + b"PK\x05\x06" * 1_200_000,
    }
)


def take_a_table(content):
    found = read_table(content, rows_limit=MAIL_ROWS_LIMIT)
    if isinstance(found, Refused):
        assert one_line(found.detail)
    return found
