"""TLS reports to others: counted with the attempts, told once per day and domain, forgotten where nobody asks."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email import policy as rules
from typing import Any

import pytest

from gateway.outbox_kinds import KINDS
from gateway.ports import PushRequest, TlsReport
from gateway.pushes import Pushes
from gateway.report_pool import LargeReports
from gateway.tls_reports import TLS_REPORT, TlsReports
from mta.sending.compose import MailIdentity
from mta.sending.tls_report import compose_tls_report
from sms.message import TlsTag
from store.engine.keys import to_stored
from store.outbox import TakenRow
from store.tls_sessions import count_sessions
from tests.kit.inbound_harness import InboundHarness
from tls.report import PolicyType, PublishedPolicy, SessionResult
from tls.result_types import ResultType

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SENDER = "sms.example.net"
GOOD = SessionResult(domain="example.com", policy=PublishedPolicy(kind=PolicyType.NONE))
FAILED = SessionResult(
    domain="example.com",
    policy=PublishedPolicy(kind=PolicyType.TLSA, strings=("3 1 1 ab",)),
    result=ResultType.VALIDATION_FAILURE,
    reason="another key",
    host="mx.example.com",
    address="192.0.2.25",
    source="192.0.2.1",
)
IDENTITY = MailIdentity(
    from_name="SMS", from_address=f"sms@{SENDER}", hostname="gw.example.net", message_id_domain=SENDER
)


class World(InboundHarness):
    """Sessions of 29 November; `asked` has who was looked up."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.clock.instant = NOON
        self.destinations: dict[str, tuple[str, ...] | None] = {"example.com": ("mailto:tls@example.com",)}
        self.asked: list[str] = []

    def reporter(self) -> TlsReports:
        async def destinations_of(domain):
            self.asked.append(domain)
            return self.destinations.get(domain, ())

        return TlsReports(
            database=self.database,
            keys=self.keys,
            destinations_of=destinations_of,
            sender=SENDER,
            contact=f"postmaster@{SENDER}",
            clock=self.clock,
            written=lambda: None,
        )

    def count(self, *sessions: SessionResult, at: datetime = NOON) -> None:
        def write(tx, batches):
            for batch in batches:
                count_sessions(tx, [(to_stored(at), each) for each in batch])
            return batches

        self.database.write_now(write, sessions)

    def counted(self) -> list[tuple]:
        query = "SELECT day, domain, sessions FROM tls_session ORDER BY day, domain, sessions"
        return [tuple(row) for row in self.database.read_now(lambda tx: tx.rows(query))]

    def reports(self) -> list:
        return list(self.outbox_rows(kind=TLS_REPORT))


@pytest.fixture
def world(database_url):
    world = World(database_url)
    yield world
    world.database.close()


def told(row) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(bytes(row.content))))


def opened(row) -> TlsReport:
    taken = TakenRow(
        key=row.key,
        public_id=row.public_id,
        kind=row.kind,
        channel=row.channel,
        destination=row.destination,
        recipient=row.recipient,
        job_key=None,
        sms_key=None,
        customer_key=None,
        sequence="",
        about=row.about,
        content=bytes(row.content),
        attempt=1,
        created_at=row.created_at,
        began_at=row.created_at,
    )
    item = KINDS[row.kind].open(taken, None)
    assert isinstance(item, TlsReport)
    return item


async def test_what_went_alike_on_a_day_is_one_row_and_is_told_when_the_day_is_over(world):
    for _ in range(3):
        world.count(GOOD, GOOD, FAILED)
    assert world.counted() == [(20786, "example.com", 3), (20786, "example.com", 6)]
    await world.reporter().step()
    assert world.reports() == []
    world.clock.instant = datetime(2026, 11, 30, 0, 10, tzinfo=UTC)
    await world.reporter().step()
    assert world.reports() == []
    world.clock.instant = datetime(2026, 11, 30, 4, 16, tzinfo=UTC)
    await world.reporter().step()
    (row,) = world.reports()
    assert (row.channel, row.recipient) == ("mail", "tls@example.com")
    summaries = [policy["summary"] for policy in told(row)["policies"]]
    assert summaries == [
        {"total-successful-session-count": 6, "total-failure-session-count": 0},
        {"total-successful-session-count": 0, "total-failure-session-count": 3},
    ]
    assert world.counted() == []


async def test_of_two_nodes_one_reports(world):
    world.count(GOOD, FAILED)
    world.clock.move(timedelta(days=1))
    for node in (world.reporter(), world.reporter()):
        await node.step()
    await world.reporter().step()
    assert len(world.reports()) == 1


async def test_a_domain_that_asks_for_none_gets_none_and_is_forgotten(world):
    world.destinations.clear()
    world.count(GOOD)
    world.clock.move(timedelta(days=1))
    await world.reporter().step()
    assert (world.reports(), world.counted(), world.asked) == ([], [], ["example.com"])


async def test_a_domain_whose_dns_fails_is_asked_again_for_three_days_and_holds_up_no_other(world):
    other = SessionResult(domain="example.org", policy=GOOD.policy)
    world.destinations = {"example.com": None, "example.org": ("https://r.example.org/tls",)}
    world.count(GOOD, other)
    world.clock.move(timedelta(days=1))
    await world.reporter().step()
    (row,) = world.reports()
    assert (row.channel, row.recipient, row.destination) == ("push", "https://r.example.org/tls", "r.example.org")
    assert [domain for _, domain, _ in world.counted()] == ["example.com"]
    world.clock.move(timedelta(days=2))
    await world.reporter().step()
    assert world.counted() == []
    assert len(world.reports()) == 1


async def test_many_domains_are_told_in_one_look(world):
    domains = [f"d{n:03}.example.com" for n in range(55)]
    world.destinations = {domain: (f"mailto:tls@{domain}",) for domain in domains}
    world.count(*(SessionResult(domain=domain, policy=GOOD.policy) for domain in domains))
    world.clock.move(timedelta(days=1))
    await world.reporter().step()
    assert sorted(row.recipient for row in world.reports()) == [f"tls@{domain}" for domain in domains]


async def test_the_mail_of_a_report_has_what_receivers_sort_it_by(world):
    world.count(GOOD)
    world.clock.move(timedelta(days=1))
    await world.reporter().step()
    (row,) = world.reports()
    mail = compose_tls_report(opened(row), identity=IDENTITY)
    message = message_from_bytes(mail.message, policy=rules.default)
    assert mail.tls_tag is TlsTag.OPTIONAL
    assert mail.envelope_from == ""
    assert message["Subject"] == (
        f"Report Domain: example.com Submitter: {SENDER} Report-ID: <2026-11-29.example.com@{SENDER}>"
    )
    assert (message["TLS-Report-Domain"], message["TLS-Report-Submitter"]) == ("example.com", SENDER)
    assert (message["TLS-Required"], message["Auto-Submitted"]) == ("No", "auto-generated")
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "tlsrpt"
    words, attached = message.iter_parts()
    assert "aggregate TLS report" in words.get_content()
    assert attached.get_content_type() == "application/tlsrpt+gzip"
    assert attached.get_filename() == f"{SENDER}!example.com!1795910400!1795996799!{row.public_id}.json.gz"
    assert json.loads(gzip.decompress(attached.get_content())) == told(row)
    again = compose_tls_report(opened(row), identity=IDENTITY)
    assert again == mail


async def test_a_report_by_https_is_posted_as_it_is_without_a_signature_of_a_customer(world):
    world.destinations = {"example.com": ("https://r.example.com/tls",)}
    world.count(GOOD)
    world.clock.move(timedelta(days=1))
    await world.reporter().step()
    (row,) = world.reports()

    async def nothing(*_):
        raise AssertionError

    pushes = Pushes(
        rules=nothing, template_of=nothing, terms_of=nothing, allowances_of={}, credentials_of={}, large=LargeReports()
    )
    request = await pushes.request_of(opened(row))
    pushes.close()
    assert isinstance(request, PushRequest)
    assert (request.method, request.url) == ("POST", "https://r.example.com/tls")
    assert request.content_type == "application/tlsrpt+gzip"
    assert request.keys == ()
    assert json.loads(gzip.decompress(request.content)) == told(row)
