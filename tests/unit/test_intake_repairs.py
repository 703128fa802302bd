"""Mails whose MIME is odd or broken: what they say is read, and never their source."""

import base64

import pytest

from mta.reading.body import ExtractedText, extract_text
from mta.reading.charsets import decode, normal_label
from mta.reading.headers import decode_words
from mta.reading.mime import MailLimits, ParsedMail, read_mail
from sms.settings import Settings


def text_of(header, body):
    octets = body if isinstance(body, bytes) else body.encode()
    mail = read_mail(f"From: a@example.com\n{header}\n\n".encode() + octets, MailLimits())
    assert isinstance(mail, ParsedMail), mail
    found = extract_text(mail, Settings(), subject="")
    assert isinstance(found, ExtractedText), found
    return found.text


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain; charset=utf-8", "'text/plain; charset=\"utf-8\"'", '"text/plain"; charset=utf-8', "text/plain (words); charset=utf-8 (Unicode)",
        "(words) text/plain; charset=utf-8", "text / plain; charset = utf-8", "text/plain charset=utf-8", "text/plain, charset=utf-8",
        "TEXT/PLAIN; CHARSET=UTF_8", "text/plain;; charset=utf8;", "text/plain; format=fixed; charset='utf-8'", "text/x-log; charset=utf-8",
        "text/markdown; charset=utf-8", "text/x-nagios", "plain/text; charset=utf-8", "text; charset=utf-8", "text/plain; charset", "",
        "=?utf-8?q?text/plain;_charset=3Dutf-8?=", "text/plain; charset=text/plain; charset=utf-8", 'text/plain; charset="utf-8" Content-Transfer-Encoding: 8bit',
    ],
)  # fmt: skip
def test_a_text_is_read_however_its_type_is_spelled(content_type):
    assert text_of(f"Content-Type: {content_type}", "Tor 4 geöffnet.") == "Tor 4 geöffnet."


@pytest.mark.parametrize(
    "content_type", ["text/calendar", "text/x-vcard; charset=utf-8", "text/x-patch; name=a.diff", "text/csv"]
)
def test_a_file_that_is_a_text_by_its_type_is_none_of_the_mail(content_type):
    body = f"--b\n\nGate 4.\n--b\nContent-Type: {content_type}\n\nBEGIN\n--b--\n"
    assert text_of("Content-Type: multipart/mixed; boundary=b", body) == "Gate 4."


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("quoted-printable (by mta4)", "T=C3=BCr 4.=\n Gate."), ("(x) Quoted-Printable ", "T=c3=bcr 4.=  \n Gate."),
        ('"quoted-printable"', "T=C3=BCr 4.=\t\n Gate."), ("quoted_printable; x=1", "T=C3=BCr 4. Gate.=  "), ("QP", "T=C3=BCr 4. Gate."),
        ("BASE64 (mta 4) ", "VMO8ciA0LiBHYXRlLg=="), ("base-64", "VMO8ciA0LiBHYXRlLg=="), ("x-base64", "VMO8ciA0LiBHYXRlLg"),
        ("base64", "VMO8 ciA0 LiBH YXRl Lg=="), ("base64", "VMO8ciA0\n\n  LiBHYX\nRlLg\n=="), ("base64", "VMO8ciA0Lg==\nIEdhdGUu\n"),
        ("base64", "VMO8ciA0Lg==IEdhdGUu"), ("base64", "VMO8ciA0LiBHYXRlLg==\n====\n"), ("base64", "Tür 4. Gate."), ("8bit", "Tür 4. Gate."), ("utf-8", "Tür 4. Gate."),
    ],
)  # fmt: skip
def test_a_transfer_encoding_is_undone_however_it_is_written(encoding, body):
    header = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}"
    assert text_of(header, body) == "Tür 4. Gate."


def test_what_a_scanner_added_in_clear_below_base64_is_read_as_it_is():
    body = "R2F0ZSA0IGlzIG9wZW4u\n\nScanned by mx1: no virus was found.\n"
    assert text_of("Content-Transfer-Encoding: base64", body) == "Gate 4 is open.\nScanned by mx1: no virus was found."


PARTS = "--b1\nContent-Type: text/plain; charset=utf-8\n\nTor 4 öffnen.\n--b1\nContent-Type: text/html; charset=utf-8\n\n<p>Tor 4 öffnen.</p>\n--b1--\n"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ('Content-Type: multipart/alternative;\nboundary="b1"', PARTS),
        ("Content-Type: multipart/alternative", PARTS),
        ('Content-Type: multipart/alternative; boundary="b2"', PARTS),
        ('Content-Type: multipart/mixed; boundary="b1"', PARTS),
        ("Content-Type: multipart/alternative boundary=b1", PARTS),
        ("Content-Type: multipart/alternative; boundary=b1 (parts)", PARTS),
        ("", PARTS),
        ("", f"This is a multi-part message in MIME format.\n\n{PARTS}"),
        ("Content-Type: text/plain", PARTS),
        ("", f"MIME-Version: 1.0\nContent-Type: multipart/alternative;\n boundary=b1\n\n{PARTS}"),
        ("", "\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPHA+VG9yIDQgw7ZmZm5lbi48L3A+"),
        ("Content-Type: multipart/alternative; boundary=b1\nContent-Transfer-Encoding: base64", base64.encodebytes(PARTS.encode())),
        ("Content-Type: multipart/alternative; boundary=b1\nContent-Transfer-Encoding: quoted-printable", PARTS.replace("=", "=3D")),
        ("Content-Type: multipart/alternative; boundary=b1\nContent-Transfer-Encoding: base64", PARTS),
        ("Content-Type: multipart/mixed; boundary=b1", "--b1\nTor 4 öffnen.\n--b1--"),
        (f"Content-Type: multipart/alternative; boundary=b1\n{PARTS}", ""),
        ("Content-Type: text/html; charset=utf-8 Content-Transfer-Encoding: base64", "PHA+VG9yIDQgw7ZmZm5lbi48L3A+"),
        (
            "Content-Type: multipart/mixed; boundary=b1",
            ('--b1\nContent-Type: multipart/alternative; boundary=b2\n\n--b2\n\nTor 4 öffnen.\n--b2\nContent-Type: multipart/related; boundary="b1"\n\n'
            "--b1\nContent-Type: text/html; charset=utf-8\n\n<p>Tor 4 öffnen.</p>\n--b1--\n--b2--\n--b1--"),
        ),
        (
            "Content-Type: multipart/alternative; boundary=b1",
            ("--b1\nContent-Type: text/plain; charset=utf-8\n\nTor 4 öffnen.\n--b1\nContent-Type: text/markdown\n\n**Tor** 4\n"
            "--b1\nContent-Type: text/html; charset=utf-8\n\n<p>Tor 4 öffnen.</p>\n--b1--"),
        ),
    ],
)  # fmt: skip
def test_no_source_of_mime_comes_into_the_text(header, body):
    assert text_of(header, body) == "Tor 4 öffnen."


def test_an_attached_mail_that_was_encoded_is_read_where_the_mail_itself_is_empty():
    inner = base64.encodebytes(b"From: b@example.com\nSubject: x\n\nGate 4.\n").decode()
    body = f"--b\n\n\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}--b--\n"
    assert text_of("Content-Type: multipart/mixed; boundary=b", body) == "Gate 4."


@pytest.mark.parametrize(
    "text", ["Ворота 4 открыты.", "4 numaralı kapı açık.", "四号门已开，请到值班室。", "ゲート4", "ประตู 4", "öß – 5 €"]
)
@pytest.mark.parametrize(
    "label",
    ["koi8-r", "iso-8859-2", "iso-8859-5", "iso-8859-9", "windows-1251", "windows-1256", "gb2312", "big5", "shift_jis", "euc-kr", "tis-620", "viscii", "utf-16", "us-ascii", "x-9"],
)  # fmt: skip
def test_utf_8_is_read_under_any_label(text, label):
    assert decode(text.encode(), label) == text


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("小", "gb2312"), ("联通", "gb2312"), ("小心", "gbk"), ("หก", "tis-620"), ("รก", "windows-874"), ("ТА", "iso-8859-5"), ("Я", "koi8-r"), ("é", "iso-8859-2"),
        ("ﾃｽﾄ", "shift_jis"), ("门", "big5-hkscs"), ("문", "euc-kr"), ("Ça", "iso-8859-9"),
    ],
)  # fmt: skip
def test_a_short_text_in_the_charset_that_it_names_is_read_in_it(text, label):
    octets = text.encode({"windows-874": "cp874", "tis-620": "cp874"}.get(label, label))
    assert decode(octets, label) == text


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("UTF_8", "utf-8"), ('"utf-8" (Unicode)', "utf-8"), ("utf-8; format=flowed", "utf-8"), ("charset=utf-8", "utf-8"), ("utf8mb4", "utf-8"),
        ("x-cp1251", "cp1251"), ("win-1251", "cp1251"), ("cswindows1251", "cp1251"), ("ISO_8859-2:1987", "iso8859-2"), ("8859-2", "iso8859-2"),
        ("latin-2", "iso8859-2"), ("x-euc-kr", "cp949"), ("x-gbk", "gb18030"), ("IBM00858", "cp858"), ("csISO2022JP", "iso-2022-jp"), ("rot13", "unknown"),
    ],
)  # fmt: skip
def test_charset_labels_are_known_by_many_spellings(label, codec):
    assert normal_label(label) == codec


def test_vietnamese_is_read_in_the_charsets_that_it_is_written_in():
    assert decode(b"C\xb1ng 4 m\xb7.", "viscii") == "Cổng 4 mở."
    assert (
        decode(
            "Cổng 4 mở.".encode().decode().replace("ổ", "ô\u0309").replace("ở", "ơ\u0309").encode("cp1258"),
            "windows-1258",
        )
        == "Cổng 4 mở."
    )


@pytest.mark.parametrize(
    "field",
    [
        "=?utf-8?B?5Zub5Y+36?= =?utf-8?B?Zeo5bey5byA6K+36L+b?=",
        "=?utf-8?B?5Zub5Y+36Ze?= =?utf-8?B?o5bey5byA6K+36L+b?=",
        "=?utf-8?B?5Zub5Y+36Zeo5b?= =?utf-8?B?ey5byA6K+36L+b?=",
        "=?utf-8?B?5Zub5Y+36Zeo?= =?utf-8?B?5bey5byA6K+36L+b?=",
        "=?utf-8?B?5Zub5Y+36Zeo5bey5byA?= =?utf-8?Q?=E8=AF=B7=E8=BF=9B?=",
    ],
)
def test_base64_that_was_cut_anywhere_between_encoded_words_is_whole(field):
    assert decode_words(field) == "四号门已开请进"


def test_encoded_words_that_only_lack_padding_are_words_of_their_own():
    assert decode_words("=?utf-8?B?R2F0ZQ?= =?utf-8?B?IDQ?=") == "Gate 4"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<html><body><h3>Disk alert</h3><p>db1: <b>97 %</b> full<br>Partition /var</p></body></html>", "Disk alert\n\ndb1: 97 % full\nPartition /var"),
        ("<!DOCTYPE html>\n<p>Gate 4", "Gate 4"), ("<p>Gate 4 is <b>open</b>.</p>", "Gate 4 is open."), ("<b>DOWN</b> web1<br/>", "DOWN web1"),
        ("Status: <font color=red>DOWN</font><br>Host: web1<br>Since: 9:02", "Status: DOWN\nHost: web1\nSince: 9:02"),
        ("Use <b>bold</b> words", "Use <b>bold</b> words"), ("a < b and c > d", "a < b and c > d"), ("<urgent> Gate 4", "<urgent> Gate 4"),
        ("First <br> is a tag\nSecond line\nThird", "First <br> is a tag\nSecond line\nThird"),
    ],
)  # fmt: skip
def test_html_that_calls_itself_plain_is_read_as_html_and_words_about_it_are_not(body, text):
    assert text_of("Content-Type: text/plain; charset=utf-8", body) == text


def test_plain_lines_that_call_themselves_html_stay_lines():
    assert text_of("Content-Type: text/html; charset=utf-8", "Host: web1\nState: down\n") == "Host: web1\nState: down"
