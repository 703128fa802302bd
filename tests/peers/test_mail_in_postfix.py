"""A real Postfix relays into the real process and takes the status mails: DSN parameters to the byte, never two reports."""

import asyncio
import json
import smtplib

import pytest
import pytest_asyncio

from smpp.simulator.script import Script
from sms.message import ReceiptState
from tests.kit.installation import DOMAIN, SENDER, Installation, mail
from tests.kit.patience import PATIENCE
from tests.peers.postfix_relay import PostfixRelay

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAD_NUMBER = "447700900179"
# What a hostile or merely odd sender may put into ENVID: plus, equals, blank and brackets travel as xtext (RFC 3461
# §4).
ENVID = "A+b=c (1) <x>"
XTEXT_ENVID = "A+2Bb+3Dc+20(1)+20<x>"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def relay():
    relay = PostfixRelay("example.com")
    yield relay
    await asyncio.to_thread(relay.stop)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, relay, module_database):
    route = {"domain": "*", "host": "127.0.0.1", "port": relay.port, "tls": "none"}
    site = Installation(tmp_path_factory.mktemp("postfix") / "site", module_database, mail={"route": [route]})
    await site.open(Script(states={BAD_NUMBER: ReceiptState.UNDELIVERABLE}))
    await site.command("customer", "add-range", "demo", "127.0.0.1/32")
    await asyncio.to_thread(relay.start, site.port)
    await site.start()
    yield site
    await site.close()


class Postbox:
    """Gives mails to Postfix and collects what people got in answer."""

    def __init__(self, site: Installation, relay: PostfixRelay) -> None:
        self._site, self._relay = site, relay

    async def __call__(self, name: str, number: str, *, at_mail=(), at_rcpt=()):
        """Send a mail with these DSN parameters; returns the answers and what the job's trace says."""
        content = mail(f"Mail {name}", to=(number,), message_id=f"<{name}@example.com>")

        def deliver():
            with smtplib.SMTP("127.0.0.1", self._relay.port, timeout=PATIENCE) as client:
                client.sendmail(SENDER, [f"{number}@{DOMAIN}"], content, at_mail, at_rcpt)

        await asyncio.to_thread(deliver)
        return await self.answers(name)

    async def answers(self, name: str):
        """Return the same for a mail that went in another way."""
        mail_id = f"<{name}@example.com>"
        await self._site.until(lambda: self._site.jobs(mail_id=mail_id) != [])
        await self._site.until_all_told()
        sent = sum(
            len(self._site.outbox_rows(job_key=job.key, state="sent")) for job in self._site.jobs(mail_id=mail_id)
        )
        await self._site.until(lambda: len(self._got(mail_id)) >= sent)
        trace = json.loads(await self._site.command("status", "--json", mail_id))
        return self._got(mail_id), trace["report"]

    def _got(self, mail_id: str) -> list:
        return [got for got in self._relay.mails() if got["In-Reply-To"] == mail_id]


@pytest.fixture
def post(site, relay):
    return Postbox(site, relay)


def asking(notify: str) -> list[str]:
    return [f"NOTIFY={notify}"] if notify else []


def status_fields(dsn) -> list:
    """Return the field groups of a DSN's second part, as the stdlib reads them: the message, then each recipient."""
    _, status, *_ = dsn.iter_parts()
    assert status.get_content_type() == "message/delivery-status"
    return list(status.iter_parts()) if status.is_multipart() else status.get_payload()


async def test_what_the_sender_asked_of_reports_arrives_to_the_byte(site, post):
    number = "+447700900171"
    _, job = await post(
        "exact",
        number,
        at_mail=[f"ENVID={XTEXT_ENVID}", "RET=HDRS"],
        at_rcpt=[*asking("SUCCESS,FAILURE"), f"ORCPT=rfc822;+2B447700900171@{DOMAIN}"],
    )
    assert job["mail"]["envid"] == ENVID
    assert job["mail"]["ret"] == "HDRS"
    assert job["mail"]["reverse_path"] == SENDER
    (message,) = job["messages"]
    assert sorted(message["notify"].split(",")) == ["FAILURE", "SUCCESS"]
    assert message["orcpt"] == f"rfc822;{number}@{DOMAIN}"
    assert job["customer"] == "demo"


async def test_sendmail_asks_in_its_own_words(site, relay, post):
    content = mail("Mail sendmail", to=("+447700900172",), message_id="<sendmail@example.com>")
    await asyncio.to_thread(
        relay.sendmail,
        content,
        "-N",
        "success,failure",
        "-R",
        "hdrs",
        "-V",
        "QUEUE-42=",
        "-f",
        SENDER,
        f"+447700900172@{DOMAIN}",
    )
    _, job = await post.answers("sendmail")
    assert (job["mail"]["envid"], job["mail"]["ret"]) == ("QUEUE-42=", "HDRS")
    assert sorted(job["messages"][0]["notify"].split(",")) == ["FAILURE", "SUCCESS"]


@pytest.mark.slow
@pytest.mark.parametrize("notify", ["", "SUCCESS,FAILURE", "FAILURE"])
async def test_a_customer_of_people_gets_one_status_mail_and_no_dsn(notify, site, post):
    got, _ = await post(f"people-{notify.replace(',', '-')}", "+447700900173", at_rcpt=asking(notify))
    (only,) = got
    assert only.get_content_type() == "multipart/alternative"
    assert "Reported by the network" in only.get_body(("plain",)).get_content()
    assert only["Return-Path"] == "<>"


async def test_a_customer_of_machines_gets_the_dsn_that_was_asked_for_and_no_status_mail(site, post):
    await site.command("customer", "set", "demo", "report_format=dsn")
    try:
        number = "+447700900174"
        got, _ = await post(
            "machine",
            number,
            at_mail=[f"ENVID={XTEXT_ENVID}", "RET=HDRS"],
            at_rcpt=["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;+2B447700900174@{DOMAIN}"],
        )
        (dsn,) = got
        assert dsn["Return-Path"] == "<>"
        assert (dsn.get_content_type(), dsn.get_param("report-type")) == ("multipart/report", "delivery-status")
        of_mail, of_recipient = status_fields(dsn)
        assert of_mail["Original-Envelope-Id"] == ENVID
        assert of_recipient["Original-Recipient"] == f"rfc822;{number}@{DOMAIN}"
        assert of_recipient["Final-Recipient"] == f"rfc822;{number}@{DOMAIN}"
        assert (of_recipient["Action"], of_recipient["Status"]) == ("delivered", "2.1.5")
        returned = list(dsn.iter_parts())[2]
        assert returned.get_content_type() == "text/rfc822-headers"
        assert "<machine@example.com>" in returned.get_content()

        got, _ = await post("failing", f"+{BAD_NUMBER}", at_rcpt=asking("SUCCESS,FAILURE"))
        (dsn,) = got
        of_mail, of_recipient = status_fields(dsn)
        assert "Original-Envelope-Id" not in of_mail
        assert (of_recipient["Action"], of_recipient["Status"][0]) == ("failed", "5")

        for name, notify in (("silent", "NEVER"), ("only-failure", "FAILURE"), ("nothing-asked", "")):
            got, job = await post(name, "+447700900175", at_rcpt=asking(notify))
            assert (got, job["messages"][0]["state"] in {"delivered", "submitted"}) == ([], True)
    finally:
        await site.command("customer", "set", "demo", "report_format=html")


async def test_a_refused_number_comes_back_from_postfix_at_once_and_makes_no_job(site, relay):
    content = mail("Nobody", to=("+4930123456",), message_id="<fixed-line@example.com>")

    def deliver():
        with smtplib.SMTP("127.0.0.1", relay.port, timeout=PATIENCE) as client:
            client.sendmail(SENDER, [f"+4930123456@{DOMAIN}"], content)

    await asyncio.to_thread(deliver)
    await site.until(lambda: any("550 5.1.1" in got.as_string() for got in relay.mails()))
    assert site.jobs(mail_id="<fixed-line@example.com>") == []
