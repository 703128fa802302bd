"""One mail read: its header fields, its charsets, its parts, and the bounds within which it is read."""

import base64

import pytest

from mta.reading.charsets import clean_line, clean_text, decode
from mta.reading.headers import decode_words, read_addresses, read_fields, read_typed
from mta.reading.mime import Encryption, MailLimits, ParsedMail, read_attachment, read_mail
from mta.reading.transfer import decode_base64
from sms.message import Priority
from sms.outcome import Refusal, Refused


def mail_of(header, body=b"hello\r\n", **limits):
    raw = header.encode() if isinstance(header, str) else header
    mail = read_mail(raw.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body, MailLimits(**limits))
    assert isinstance(mail, ParsedMail), mail
    return mail


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        ("anna@example.com", "anna@example.com", ""),
        ("<anna@Example.COM>", "anna@example.com", ""),
        ('"Keller, Anna" <anna@example.com>', "anna@example.com", "Keller, Anna"),
        ("Keller, Anna <anna@example.com>", "anna@example.com", "Keller Anna"),
        ("anna@example.com (Anna (the first) Keller)", "anna@example.com", "Anna (the first) Keller"),
        ("=?utf-8?q?J=C3=B6rg_Gr=C3=BC=C3=9F?= <j@example.com>", "j@example.com", "Jörg Grüß"),
        ('"anna@example.org" <anna@example.com>', "anna@example.com", "anna@example.org"),
        ("anna@example.com <anna@example.com>", "anna@example.com", ""),
        ('"a b"@example.com', '"a b"@example.com', ""),
        ("Anna\r\n\t<anna@example.com>", "anna@example.com", "Anna"),
        ("грег@example.com", "грег@example.com", ""),
        ("=?utf-8?q?x=0D=0ABcc:_evil?= <a@example.com>", "a@example.com", "x Bcc: evil"),
    ],
)
def test_an_author_is_one_address_with_a_name(value, address, name):
    mail = mail_of(f"From: {value}")
    assert (mail.author, mail.author_name, mail.author_problem) == (address, name, "")


@pytest.mark.parametrize(
    "value",
    [
        "", "Anna", "undisclosed-recipients:;", "a@example.com, b@example.com", "a@example.com <b@example.com>",
        "<a@example.com> <b@example.com>", "group: a@example.com, b@example.com;", "<>", "<", '"', "(", "a@", "@example.com",
        "=?utf-8?q?a=40example.com?=", "a\x00b@example.com ,c@example.com", "<a@example.com",
    ],
)  # fmt: skip
def test_what_is_not_exactly_one_author_is_named_as_a_problem(value):
    mail = mail_of(f"From: {value}")
    if value == "<a@example.com":
        assert mail.author == "a@example.com"
    else:
        assert mail.author == ""
        assert mail.author_problem


def test_two_from_fields_are_no_author():
    assert mail_of("From: a@example.com\nFrom: a@example.com").author_problem == "the mail has more than one From"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?caf=C3=A9_au?= lait", "café au lait"),
        ("=?utf-8?B?w6k=?= =?utf-8?B?w6g=?=", "éè"),
        ("=?utf-8?q?=C3?=\t=?utf-8?q?=A9?=", "é"),
        ("=?iso-8859-1*en?q?caf=E9?=", "café"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?q?What=3F?=", "What?"),
        ("=?utf-8?q?What??=", "What?"),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("=?nonsense?q?caf=E9?=", "café"),
        ("=?unicode_escape?q?=5Cn?=", "\\n"),
        ("=?utf-8?b?DQpCY2M6IGV2aWxAeC55?=", " Bcc: evil@x.y"),
        ("=?utf-8?q?a=00b=1B=E2=80=A8c?=", "ab c"),
        ("=?utf-7?q?+AA0ACg-x?=", " x"),
    ],
)
def test_encoded_words_are_decoded_and_scrubbed(given, text):
    assert decode_words(given) == text


@pytest.mark.parametrize(
    ("octets", "label", "text"),
    [
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"\x80 \x96 \x93", "latin1", "€ – “"),
        ("café".encode(), "iso-8859-1", "café"),
        (b"caf\xe9", "utf-8", "café"),
        (b"caf\xe9", "", "café"),
        ("café €".encode(), "us-ascii", "café €"),
        ("Привет, мир, \xd0".encode()[:-1] + b"!", "utf-8", "Привет, мир, \N{REPLACEMENT CHARACTER}!"),
        (b"\xef\xbb\xbfx\xc3\xa9", "iso-8859-1", "xé"),
        ("hé".encode("utf-16"), "utf-8", "hé"),
        ("hé".encode("utf-16-le"), "utf-16", "hé"),
        ("hé".encode("utf-16-be"), "utf-16", "hé"),
        ("hi".encode("utf-16-le"), "utf-16le", "hi"),
        (b"not wide", "utf-16", "not wide"),
        ("Зима".encode("koi8-r"), "KOI8-R", "Зима"),
        ("联通".encode("gbk"), "gb2312", "联通"),
        ("中文".encode("big5"), "big5", "中文"),
        ("①～".encode("cp932"), "shift_jis", "①～"),
        ("漢字".encode("euc_jp"), "euc-jp", "漢字"),
        ("한글".encode("cp949"), "euc-kr", "한글"),
        ("漢字です".encode("iso2022_jp"), "iso-2022-jp", "漢字です"),
        ("漢字です".encode("iso2022_jp"), "", "漢字です"),
        (b"\x1b$B-!\x1b(B", "iso-2022-jp", "①"),
        (b"\x1b(I\x33\x34\x1b(B", "iso-2022-jp", "ｳｴ"),
        (b"\x1b$B$", "iso-2022-jp", "$"),
        ("ışık".encode("iso8859-9"), "iso-8859-9", "ışık"),
        ("10 €".encode("iso8859-15"), "iso-8859-15", "10 €"),
        (b"caf\xe9", "zlib_codec", "café"),
        (b"abc-", "punycode", "abc-"),
        (b"+ZeVnLIqe-", "utf-7", "日本語"),
        (b"", "utf-16", ""),
    ],
)
def test_octets_are_decoded_whatever_their_label_says(octets, label, text):
    assert decode(octets, label) == text


def test_every_character_of_japanese_mail_comes_back():
    for row in range(1, 95):
        for cell in range(1, 95):
            pair = bytes((0x20 + row, 0x20 + cell))
            try:
                expected = bytes((0x80 | pair[0], 0x80 | pair[1])).decode("euc_jp")
            except UnicodeDecodeError:
                continue
            same = {"〜": "～", "‖": "∥", "−": "－", "¢": "￠", "£": "￡", "¬": "￢", "＼": "＼", "\\": "＼"}
            assert decode(b"\x1b$B" + pair + b"\x1b(B", "iso-2022-jp") == same.get(expected, expected)


def test_text_keeps_joiners_and_directions_and_loses_controls():
    assert (
        clean_text("a\r\nb\rc\x00\x07\u200b\ufeff\u00add\u2028e\u00a0f\u202ax\u202c👨\u200d👩")
        == "a\nb\ncd\ne f\u202ax\u202c👨\u200d👩"
    )
    assert clean_line("a\r\nb\tc\x1b[31m\x85\u2029d\udc80") == "a b c[31m  d\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("broken", ["aGVsbG8=", "aGVsbG8", "aGV!sb\r\nG8", "aGVsbG8=aa", "aGVsbG8=="])
def test_broken_base64_gives_what_it_holds(broken):
    assert decode_base64(broken.encode()).startswith(b"hello"[:4])


@pytest.mark.parametrize(
    ("header", "priority"),
    [
        ("Importance: High", Priority.EXPRESS),
        ("X-Priority: 1 (Highest)", Priority.EXPRESS),
        ("X-Priority: 2", Priority.EXPRESS),
        ("Priority: urgent", Priority.EXPRESS),
        ("X-MSMail-Priority: High", Priority.EXPRESS),
        ("Importance: Normal\nX-Priority: 1", None),
        ("X-Priority: 3 (Normal)", None),
        ("X-Priority: 10", None),
        ("Subject: x", None),
    ],
)
def test_the_clients_flag_is_express_and_importance_wins(header, priority):
    assert mail_of(f"From: a@example.com\n{header}").priority is priority


def test_parameters_come_quoted_folded_and_in_pieces():
    block = b"Content-Type: Text/Plain;\r\n charset=\"utf-8\" ; x*0*=utf-8''caf%C3; x*1*=%A9; x*2=.txt; Charset=other"
    fields = read_fields(block, 10)
    assert fields is not None
    typed = read_typed(fields, "content-type")
    assert typed.value == "text/plain"
    assert dict(typed.parameters) == {"charset": "utf-8", "x": "café.txt"}


def test_an_address_list_names_every_address():
    found = read_addresses(b"A <a@example.com>, b@example.com, group: c@example.com;")
    assert [item.address for item in found] == ["a@example.com", "b@example.com", "c@example.com"]


MIXED = b"""--b\r
Content-Type: text/plain; charset=utf-8\r
\r
first\r
--b\r
Content-Type: text/csv; name="=?utf-8?q?l=C3=A4ste.csv?="\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment;\r
 filename*=utf-8''l%C3%A4ste%0D%0A.csv\r
\r
bnVtYmVyLG5hbWUKKzQ0NzcwMDkwMDEwMSxBbm5hCg==\r
--b\r
Content-Type: text/plain\r
\r
second\r
--b--\r
--b\r
\r
after the end\r
"""


def test_texts_and_attachments_of_a_multipart_are_told_apart():
    header = b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    mail = read_mail(header + MIXED, MailLimits())
    assert isinstance(mail, ParsedMail)
    assert [section.plain for section in mail.sections] == ["first", "second"]
    (attachment,) = mail.attachments
    assert (attachment.name, attachment.media_type) == ("läste .csv", "text/csv")
    assert read_attachment(header + MIXED, attachment, 1000) == b"number,name\n+447700900101,Anna\n"
    refused = read_attachment(header + MIXED, attachment, 20)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.MAIL_TOO_LARGE


def test_the_twins_of_an_alternative_are_one_section_and_blank_ones_do_not_count():
    body = b"--b\r\n\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--"
    (section,) = mail_of("From: a@example.com\nContent-Type: multipart/alternative; boundary=b", body).sections
    assert (section.plain, section.html) == (None, "<p>x")


@pytest.mark.parametrize(
    ("limits", "header", "body"),
    [
        ({"header_octets": 100}, "From: a@example.com\nSubject: " + "x" * 100, b""),
        ({"header_fields": 3}, "From: a@example.com\nA: 1\nB: 2\nC: 3", b""),
        ({"encoded_words": 2}, "From: a@example.com\nSubject: =?x?q?a?= =?x?q?a?= =?x?q?a?=", b""),
        ({"parts": 2}, "From: a@example.com\nContent-Type: multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n" * 3),
        (
            {"depth": 1},
            "From: a@example.com\nContent-Type: multipart/mixed; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx",
        ),
        (
            {"header_octets": 60},
            "From: a@example.com\nContent-Type: multipart/mixed; boundary=b",
            b"--b\r\nX: " + b"y" * 99 + b"\r\n\r\nx",
        ),
    ],
)
def test_beyond_a_bound_a_mail_is_refused_with_the_bound_named(limits, header, body):
    raw = header.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body
    found = read_mail(raw, MailLimits(**limits))
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.MAIL_MALFORMED
    assert found.detail


def test_a_text_beyond_its_bound_is_read_to_the_bound():
    mail = mail_of("From: a@example.com", b"x" * 5000, text_octets=1000)
    assert mail.sections[0].plain == "x" * 1000


@pytest.mark.parametrize(
    ("header", "encryption"),
    [
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data", Encryption.SMIME),
        ("Content-Type: application/x-pkcs7-mime", Encryption.SMIME),
        ("Content-Type: application/pkcs7-mime; smime-type=certs-only", None),
        ("Content-Type: multipart/encrypted; boundary=b", Encryption.PGP),
    ],
)
def test_encryption_is_noticed(header, encryption):
    assert mail_of(f"From: a@example.com\n{header}", base64.b64encode(b"0\x80xx")).encryption is encryption


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"\n\n", b"hello", b"\x00", b": x\r\n\r\n", b"From a@b Mon\r\nFrom: a@example.com\r\n\r\nx"]
)
def test_scraps_are_mails_without_an_author_or_with_one(raw):
    mail = read_mail(raw, MailLimits())
    assert isinstance(mail, ParsedMail)
    assert mail.author in {"", "a@example.com"}


def test_line_ends_of_lf_are_read_like_crlf():
    raw = b"From: a@example.com\nSubject: x\n y\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n\n--b--\n"
    mails = [read_mail(octets, MailLimits()) for octets in (raw, raw.replace(b"\n", b"\r\n"))]
    assert all(isinstance(mail, ParsedMail) for mail in mails)
    assert {(mail.subject, mail.sections) for mail in mails if isinstance(mail, ParsedMail)} == {
        ("x y", mails[0].sections)  # type: ignore[union-attr]  # asserted above
    }
