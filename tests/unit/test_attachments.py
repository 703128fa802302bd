import re
from email.message import EmailMessage
from email.policy import HTTP

import pytest

from web.attachments import attachment_headers

_ONE_NAME = re.compile(r"""attachment; (filename="[\w.-]+"|filename\*=UTF-8''[^\s";,*'()]+)""", re.ASCII)


def _told(name: str) -> str:
    return attachment_headers(name)["Content-Disposition"]


def _read(name: str) -> str | None:
    """Return the name that a reader of RFC 2231 and RFC 8187 takes from the header."""
    mail = EmailMessage(policy=HTTP)
    mail["Content-Disposition"] = _told(name)
    assert mail.get_content_disposition() == "attachment"
    return mail.get_filename()


def test_a_plain_name_is_said_plainly_and_is_kept_nowhere_on_the_way():
    assert attachment_headers("sms-sent-7-2026-11-30.csv") == {
        "Content-Disposition": 'attachment; filename="sms-sent-7-2026-11-30.csv"',
        "Cache-Control": "no-store",
    }


def test_letters_of_the_world_are_escaped_as_rfc_8187_has_it():
    assert _told("Vollmacht für Acme.pdf") == "attachment; filename*=UTF-8''Vollmacht%20f%C3%BCr%20Acme.pdf"
    assert _read("Vollmacht für Acme.pdf") == "Vollmacht für Acme.pdf"
    assert _told("€ rates") == "attachment; filename*=UTF-8''%E2%82%AC%20rates"  # RFC 8187 §3.2.3


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ('a"; filename="evil.exe', "a_; filename=_evil.exe"),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie: x=1"),
        ("a\0b", "a_b"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\autoexec.bat", "C:_autoexec.bat"),
        ("letter\u202efdp.exe", "letter_fdp.exe"),
        ("half\ud800.pdf", "half_.pdf"),
        ("100%41.pdf", "100%41.pdf"),
        ("it's; a=b, (c) *d*.pdf", "it's; a=b, (c) *d*.pdf"),
        ("😀.png", "😀.png"),
    ],
)
def test_a_hostile_name_stays_one_name_in_one_line(name, kept):
    assert _ONE_NAME.fullmatch(_told(name))
    assert _read(name) == kept
