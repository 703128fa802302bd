"""What strangers and customers hear at the door when they write to the postmaster, spoken on a real socket."""

import json
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from addressbook.senders import Principal
from gateway.postmaster import Postmaster, PostmasterBounds, unpack
from gateway.received_reports import ReceivedReports, list_reports
from mta.identify import ListenerTerms
from mta.postmaster import PostmasterDoor
from mta.smtp.server.server import AuthResult, ServerSettings
from mta.tls_report_mail import ReportMails
from store.outbox import Outbox
from tests.kit.resolver import TableResolver
from tests.kit.smtp_door import QUICK, client_of, door
from tests.kit.testbed import ANNA, open_core, proven
from tests.unit.test_handler import handler

HELLO = b"EHLO mx.example.org\r\n"
HOURS = "MAIL FROM:<bob@example.org>"
NUMBER = "RCPT TO:<+447700900101@sms.example.net>"
POSTMASTER = "RCPT TO:<postmaster@sms.example.net>"
PLAIN = "Subject: x\r\n\r\nPlease stop."


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


@asynccontextmanager
async def listening(core, *, login: bool = False, mailbox: bool = True, **bounds):
    """Open a door of the house for strangers, or with `login` for those only who log in."""
    postmaster = Postmaster(
        database=core.database,
        outbox=Outbox(core.keys),
        address="ops@example.org" if mailbox else "",
        clock=core.clock,
        written=lambda: None,
        bounds=PostmasterBounds(**bounds),
    )
    domains = core.config.server.domains
    reports = ReceivedReports(database=core.database, keys=core.keys, domains=domains, clock=core.clock)
    at_door = PostmasterDoor(
        postmaster,
        domains=domains,
        hostname="mx.example.net",
        clock=core.clock,
        reports=ReportMails(reports, TableResolver(), now=core.clock.now),
    )
    settings = ServerSettings(hostname="mx.example.net", connections=QUICK, auth_required=login, auth_needs_tls=False)
    who = Principal(customer_id=proven(core, "acme").customer_id, login="x")
    hooks = handler(core, postmaster=at_door, terms=ListenerTerms(by_login_only=login))

    def prove(*_):
        return AuthResult(success=True, auth_data=who)

    async with door(hooks, settings, authenticator=prove) as listener, client_of(listener) as client:
        client.writer.write(HELLO)
        await client.lines()
        yield client


async def talk(client, *lines: str) -> list[str]:
    """Say lines one by one; a mail's content is one of them. Returns code and enhanced code of each reply."""
    said = [await client.say(f"{line}\r\n".encode()) for line in lines]
    return [" ".join(one.split()[: 1 if one.startswith("354") else 2]) for one in said]


def kept(core) -> list[tuple]:
    return [
        (
            *(json.loads(row.about)[name] for name in ("sender", "recipients", "client", "helo")),
            unpack(bytes(row.content)),
        )
        for row in core.outbox_rows()
    ]


@pytest.mark.parametrize(
    "address",
    [
        "Postmaster",
        "POSTMASTER",
        "postmaster@sms.example.net",
        "PostMaster@SMS.Example.NET",
        '"postmaster"@sms.example.net',
        "abuse@sms.example.net",
    ],
)
async def test_anybody_may_write_to_the_postmaster(address, core):
    async with listening(core) as client:
        said = await talk(client, HOURS, f"RCPT TO:<{address}>", "DATA", f"{PLAIN}\r\n.")
    assert said == ["250 2.1.0", "250 2.1.5", "354", "250 2.0.0"]
    ((sender, recipients, peer, helo, content),) = kept(core)
    assert (sender, recipients, peer, helo) == ("bob@example.org", address, "127.0.0.1", "mx.example.org")
    received, rest = bytes(content).split(b";\r\n\t", 1)
    assert received == b"Received: from mx.example.org ([127.0.0.1])\r\n\tby mx.example.net with ESMTP"
    assert rest.endswith(b"+0000\r\nSubject: x\r\n\r\nPlease stop.\r\n")


@pytest.mark.parametrize(
    "address", ["postmaster@example.org", "abuse", "status@sms.example.net", "bulk@sms.example.net"]
)
async def test_a_stranger_writes_to_no_other_address(address, core):
    async with listening(core) as client:
        first, second, third = await talk(client, HOURS, f"RCPT TO:<{address}>", "DATA")
    assert first == "250 2.1.0"
    assert second in {"530 5.7.0", "553 5.1.3"}
    assert third == "503 5.5.1"


async def test_a_bounce_is_taken_for_the_postmaster(core):
    async with listening(core) as client:
        said = await talk(client, "MAIL FROM:<>", POSTMASTER, "DATA", f"{PLAIN}\r\n.")
    assert said[-1] == "250 2.0.0"
    assert kept(core)[0][0] == ""


async def test_a_number_is_refused_to_strangers_before_and_after_the_postmaster(core):
    async with listening(core) as client:
        assert await talk(client, HOURS, NUMBER, POSTMASTER, NUMBER) == [
            "250 2.1.0",
            "530 5.7.0",
            "250 2.1.5",
            "530 5.7.0",
        ]


async def test_a_customers_mail_goes_to_numbers_or_to_the_postmaster(core):
    login = "AUTH PLAIN AHgAeA=="
    async with listening(core, login=True) as client:
        said = await talk(client, login, f"MAIL FROM:<{ANNA}>", NUMBER, POSTMASTER, "RSET")
        assert said == ["235 2.7.0", "250 2.1.0", "250 2.1.5", "452 4.5.3", "250 2.0.0"]
        said = await talk(client, f"MAIL FROM:<{ANNA}>", POSTMASTER, NUMBER, "DATA", f"{PLAIN}\r\n.")
    assert said == ["250 2.1.0", "250 2.1.5", "452 4.5.3", "354", "250 2.0.0"]
    assert b"with ESMTPA;" in bytes(kept(core)[0][4])


async def test_where_a_login_is_demanded_a_stranger_is_refused_at_mail(core):
    async with listening(core, login=True) as client:
        assert await talk(client, HOURS, POSTMASTER) == ["530 5.7.0", "530 5.7.0"]


async def test_who_logged_in_under_a_foreign_name_is_refused_at_mail(core):
    async with listening(core) as client:
        assert await talk(client, "AUTH PLAIN AHgAeA==", "MAIL FROM:<x@rival.example.com>") == [
            "235 2.7.0",
            "550 5.7.1",
        ]


async def test_without_a_mailbox_the_postmasters_address_is_unknown(core):
    async with listening(core, mailbox=False) as client:
        assert await talk(client, HOURS, POSTMASTER) == ["250 2.1.0", "550 5.1.1"]


async def test_too_large_and_too_many_are_refused(core):
    async with listening(core, octets=500, per_network=2) as client:
        large = f"{PLAIN}{'x' * 500}\r\n."
        assert (await talk(client, HOURS, POSTMASTER, "DATA", large))[-1] == "552 5.3.4"
        assert (await talk(client, HOURS, POSTMASTER, "DATA", f"{PLAIN}\r\n."))[-1] == "250 2.0.0"
        assert await talk(client, HOURS, POSTMASTER) == ["250 2.1.0", "451 4.7.1"]
    assert len(kept(core)) == 1


async def test_a_stranger_hears_of_a_size_that_is_too_large_before_he_sends_it(core):
    async with listening(core, octets=500) as client:
        assert await talk(client, f"{HOURS} SIZE=501", POSTMASTER, "DATA") == ["250 2.1.0", "552 5.3.4", "503 5.5.1"]
        assert (await talk(client, "RSET", f"{HOURS} SIZE=500", POSTMASTER))[-1] == "250 2.1.5"


async def test_contents_of_strangers_are_counted_before_they_come(core):
    async with listening(core, per_network=1) as client:
        assert (await talk(client, HOURS, POSTMASTER, "RSET", HOURS, POSTMASTER))[-1] == "250 2.1.5"  # asking is free
        assert (await talk(client, "DATA", f"{PLAIN}\r\n."))[-1] == "250 2.0.0"
        assert (await talk(client, HOURS, POSTMASTER))[-1] == "451 4.7.1"


async def test_a_strangers_content_without_an_end_is_cut_off(core):
    async with listening(core, octets=1000) as client:
        await talk(client, HOURS, POSTMASTER, "DATA")
        client.writer.write(b"x" * 70 + b"\r\n" + (b"x" * 70 + b"\r\n") * 20_000)
        assert (await client.hear()).startswith("552 5.3.4 Message size exceeds fixed limit: at most 1000 octets")


@pytest.mark.parametrize("header", ["X-Mail2SMS-Notice: P.1\r\n", "Received: x\r\n" * 101])
async def test_what_goes_round_is_refused_and_logged(header, core):
    with capture_logs() as logs:
        async with listening(core) as client:
            said = await talk(client, HOURS, POSTMASTER, "DATA", f"{header}{PLAIN}\r\n.")
    assert said[-1] == "554 5.4.6"
    assert kept(core) == []
    assert [line["reason"] for line in logs if line["event"] == "mail_refused"] == ["mail-loop"]


async def test_a_header_without_an_end_is_refused(core):
    async with listening(core) as client:
        header = "".join(f"X-{number}: {'x' * 900}\r\n" for number in range(120))
        assert (await talk(client, HOURS, POSTMASTER, "DATA", f"{header}{PLAIN}\r\n."))[-1] == "554 5.6.0"


async def test_an_address_of_a_stranger_may_have_letters_of_any_alphabet(core):
    async with listening(core) as client:
        said = await talk(
            client,
            "MAIL FROM:<bjørn@example.org> SMTPUTF8 BODY=8BITMIME",
            POSTMASTER,
            "DATA",
            "Subject: Grüße\r\n\r\nÄrger\r\n.",
        )
    assert said[-1] == "250 2.0.0"
    sender, *_, content = kept(core)[0]
    assert sender == "bjørn@example.org"
    assert b"with UTF8SMTP;" in bytes(content)
    assert bytes(content).endswith("Subject: Grüße\r\n\r\nÄrger\r\n".encode())


REPORTS = "RCPT TO:<TLSRPT@sms.example.net>"
REPORT = {
    "organization-name": "Example",
    "report-id": "1",
    "date-range": {"start-datetime": "2026-11-29T00:00:00Z", "end-datetime": "2026-11-29T23:59:59Z"},
    "policies": [
        {
            "policy": {"policy-type": "no-policy-found", "policy-domain": "sms.example.net"},
            "summary": {"total-successful-session-count": 3, "total-failure-session-count": 1},
        }
    ],
}
REPORT_MAIL = f"Subject: x\r\nContent-Type: application/tlsrpt+json\r\n\r\n{json.dumps(REPORT)}\r\n."


def reported(core) -> list:
    return list(core.database.read_now(lambda tx: list_reports(tx, 0, "", 100)))


async def test_a_strangers_tls_report_is_kept_and_goes_to_nobody(core):
    async with listening(core) as client:
        assert await talk(client, HOURS, REPORTS, "DATA", REPORT_MAIL) == ["250 2.1.0", "250 2.1.5", "354", "250 2.0.0"]
    (found,) = reported(core)
    assert (found.domain, found.good, found.failed, found.signed_by) == ("sms.example.net", 3, 1, "")
    assert kept(core) == []


async def test_what_is_no_report_about_us_is_refused_and_nothing_is_kept(core):
    async with listening(core) as client:
        foreign = REPORT_MAIL.replace('"policy-domain": "sms.example.net"', '"policy-domain": "example.org"')
        for content in (f"{PLAIN}\r\n.", foreign):
            assert (await talk(client, HOURS, REPORTS, "DATA", content))[-1].startswith("55")
    assert (reported(core), kept(core)) == ([], [])


async def test_tls_reports_share_the_bounds_of_the_postmasters_mail(core):
    async with listening(core, per_network=1) as client:
        assert (await talk(client, HOURS, REPORTS, "DATA", REPORT_MAIL))[-1] == "250 2.0.0"
        assert (await talk(client, HOURS, REPORTS))[-1].startswith("45")


async def test_a_report_that_goes_to_the_postmaster_too_is_the_postmasters(core):
    async with listening(core) as client:
        assert (await talk(client, HOURS, REPORTS, POSTMASTER, "DATA", REPORT_MAIL))[-1] == "250 2.0.0"
    assert reported(core) == []
    assert len(kept(core)) == 1
