"""What other mail servers were reported for, said to ours: each conversation goes on, or ends, as the standard has it."""

from base64 import b64encode

import pytest

from mta.smtp.engine.events import Capabilities, ContentReceived, Login
from tests.fuzz.conversations import mechanisms
from tests.kit.dialogues import ENVELOPE, HELLO, talk

TERMS = Capabilities(hostname="mx.example.net", mechanisms=mechanisms())


def encoded(octets: bytes) -> bytes:
    return b64encode(octets) + b"\r\n"


# Where it was reported: what a client says after EHLO under TLS, the codes of the replies, and how many logins are judged.
REPORTED = {
    "gen_smtp#84: no base64 ended the process": (b"AUTH PLAIN z\r\n", ["501"], 0),
    "SmtpServer#272: no base64 in the second line of LOGIN ended the session": (
        b"AUTH LOGIN\r\nz\r\n",
        ["334", "501"],
        0,
    ),
    "SmtpServer#272: nor in its third": (b"AUTH LOGIN ZGVtbw==\r\n=z==\r\n", ["334", "501"], 0),
    "Haraka#2038: AUTH LOGIN of who is logged in": (
        b"AUTH PLAIN " + encoded(b"\0demo\0secret") + b"AUTH LOGIN\r\n",
        ["250", "503"],
        1,
    ),
    "smtp-server#261: an authorisation identity in the place of the login": (
        b"AUTH PLAIN " + encoded(b"admin\0\0password"),
        ["501"],
        0,
    ),
    "metasploit#13271: an empty password is not the login": (b"AUTH PLAIN " + encoded(b"\0demo\0"), ["250"], 1),
    "greenmail#1063: a token with too few parts": (b"AUTH XOAUTH2 " + encoded(b"user=demo\x01\x01"), ["501"], 0),
    "greenmail#1063: a token for another mechanism": (b"AUTH OAUTHBEARER " + encoded(b"user=demo\x01"), ["501"], 0),
    "greenmail#1063: no octets at all": (b"AUTH SCRAM-SHA-256 =\r\n", ["501"], 0),
    "a first message of SCRAM that is not UTF-8": (b"AUTH SCRAM-SHA-256 " + encoded(b"n,,n=\xff,r=c"), ["501"], 0),
    "a first message of SCRAM with an extension that must be known": (
        b"AUTH SCRAM-SHA-256 " + encoded(b"n,,m=x,n=demo,r=c"),
        ["501"],
        0,
    ),
    "canarytokens#687: 8 bits in a verb": (b"X\x80X\r\n", ["500"], 0),
    "aiosmtpd#4: 8 bits where no argument is": (b"RSET \xff\r\nMAIL FROM:<\xfc@example.com>\r\n", ["500", "500"], 0),
    "smtp4dev#18: HELO alone": (b"HELO\r\nHELO \r\n", ["501", "501"], 0),
    "go-smtp#315: a chunk is read as commands after a refused BDAT": (
        b"BDAT 9 LAST\r\nMAIL FROM" + ENVELOPE,
        ["502"],
        0,
    ),
    "go-smtp#315: the same behind a refused sender": (
        b"MAIL FROM:<bad\r\nRCPT TO:<b@example.com>\r\nBDAT 9 LAST\r\nMAIL FROM",
        ["501", "503", "502"],
        0,
    ),
    "CVE-2026-45185: STARTTLS and BDAT together": (b"STARTTLS\r\nBDAT 1 LAST\r\nx", ["503", "502"], 0),
    "cpython#86664: after 500 the same connection goes on": (b"x" * 2000 + b"\r\nNOOP\r\n", ["500", "250"], 0),
}


@pytest.mark.parametrize("report", REPORTED)
def test_what_others_were_reported_for_has_its_reply(report):
    said, codes, logins = REPORTED[report]
    heard = talk(HELLO + said, terms=TERMS, tls=True)
    assert heard.codes[1:] == codes
    assert len(heard.of(Login)) == logins
    assert not heard.of(ContentReceived)
