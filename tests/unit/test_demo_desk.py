"""The desk of the demo: what it makes of mails that are not ours, and of SMS of several phones."""

import smtplib

import pytest

from cli.demo_desk import DemoDesk
from mta.sandbox import Sandbox
from smpp.simulator.simulator import Simulator
from tests.kit.clock import Clock
from tests.kit.patience import PATIENCE

HTML = b"<script>1</script> caf\xe9 +AGE-"


@pytest.fixture(scope="module")
def box():
    with Sandbox(offer_tls=False) as made:
        yield made


@pytest.fixture
def desk(box):
    return DemoDesk(sandbox=Simulator(accounts={}, clock=Clock()), box=box, port=0, password="")


def bring(box: Sandbox, content: bytes) -> None:
    with smtplib.SMTP(box.host, box.port, timeout=PATIENCE) as client:
        client.sendmail("x@example.com", ["anna.keller@example.com"], content)


@pytest.mark.parametrize("charset", [b"bogus-8", b"utf-8", b"us-ascii", b"base64", b"\xff"])
@pytest.mark.parametrize("encoding", [b"8bit", b"base64", b"x-unknown"])
async def test_a_mail_with_a_charset_that_nobody_knows_or_keeps_is_shown_all_the_same(charset, encoding, desk, box):
    head = b"From: x\r\nSubject: =?bogus?Q?a?= b\r\nContent-Type: text/html; charset=" + charset
    bring(box, head + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + HTML)
    newest = desk.view().mails[0]
    assert newest.html
    assert "b" in newest.subject


async def test_a_mail_without_any_header_is_shown(desk, box):
    bring(box, b"\r\nHello\r\n")
    newest = desk.view().mails[0]
    assert (newest.sender, newest.subject, newest.text) == ("x@example.com", "", "Hello")
