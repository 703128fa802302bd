"""TLS reports of others: what real reporters send is read, what strangers try costs little, and only ours is kept."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from gateway.received_reports import ReceivedReports, list_reports
from mta.tls_report_mail import ReportMails, find_report
from sms.outcome import Refusal, Refused
from tests.kit.inbound_harness import InboundHarness
from tests.kit.name_server import name_server
from tests.kit.signed_mail import dkim_signed, key_record, rsa_key
from tls.received_report import MOST_OCTETS, ReceivedReport, parse_report

RANGE = {"start-datetime": "2026-11-29T00:00:00Z", "end-datetime": "2026-11-29T23:59:59Z"}
OURS = "sms.example.net"


def policy(good=5, failed=0, *, domain=OURS, kind="sts", details=(), **more):
    return {
        "policy": {"policy-type": kind, "policy-string": ["version: STSv1"], "policy-domain": domain, **more},
        "summary": {"total-successful-session-count": good, "total-failure-session-count": failed},
        "failure-details": list(details),
    }


def report(*policies, **more) -> bytes:
    told = {
        "organization-name": "Example Inc.",
        "date-range": RANGE,
        "contact-info": "tls@example.com",
        "report-id": "1",
        "policies": list(policies or (policy(),)),
        **more,
    }
    return json.dumps({name: value for name, value in told.items() if value is not ...}).encode()


def read(content: bytes, domain: str = "") -> ReceivedReport:
    found = parse_report(content, domain)
    assert isinstance(found, ReceivedReport), found
    return found


def test_a_report_is_read_whether_compressed_or_not():
    failure = {
        "result-type": "certificate-expired",
        "sending-mta-ip": "192.0.2.1",
        "receiving-mx-hostname": "mx.example.net",
        "receiving-ip": "192.0.2.25",
        "failed-session-count": 3,
        "failure-reason-code": "10",
    }
    content = report(policy(7, 3, details=[failure]))
    found = read(content)
    assert read(gzip.compress(content)) == found
    assert (found.submitter, found.report_id, found.contact) == ("Example Inc.", "1", "tls@example.com")
    assert found.begins_at == datetime(2026, 11, 29, tzinfo=UTC)
    (domain,) = found.domains
    assert (domain.domain, domain.good, domain.failed) == (OURS, 7, 3)
    (failed,) = domain.failures
    assert (failed.policy, failed.result, failed.sessions) == ("sts", "certificate-expired", 3)
    assert (failed.host, failed.address, failed.source, failed.reason) == (
        "mx.example.net",
        "192.0.2.25",
        "192.0.2.1",
        "10",
    )


@pytest.mark.parametrize(
    ("content", "submitter", "sums"),
    [
        # No sending-mta-ip and no address: cry-inc/dmarc-report-viewer 57.
        (
            report(policy(0, 3, details=[{"result-type": "sts-policy-fetch-error", "failed-session-count": 3}])),
            "",
            (0, 3),
        ),
        # contact-info null, no organisation: domainaware/parsedmarc 575, cry-inc/dmarc-report-viewer 71.
        (report(**{"contact-info": None}), "", (5, 0)),
        (report(**{"organization-name": ...}), "example.com", (5, 0)),
        (report(**{"organization-name": None, "contact-info": ...}), "nobody named", (5, 0)),
        # A report-id with «+», no mx-host: domainaware/parsedmarc 561.
        (report(**{"report-id": "133944884956529435+sms.example.net"}), "", (5, 0)),
        # An unknown or missing type of policy: antedebaas/Viesti-Reports 41, 58.
        (report(policy(kind="tlsa")), "", (5, 0)),
        (report({"policy": {"policy-domain": OURS}, "summary": {"total-successful-session-count": 5}}), "", (5, 0)),
        # A gzip that something on the way unpacked, with a mark of its encoding: domainaware/parsedmarc 568.
        (b"\xef\xbb\xbf" + report(), "", (5, 0)),
        # Two policies of one domain are one domain.
        (report(policy(2, 1), policy(3, 2, kind="tlsa")), "", (5, 3)),
        (report(policy(domain="SMS.Example.NET.")), "", (5, 0)),
        (report(policy("9" * 5, failed=-3)), "", (0, 0)),
        (report(policy(True, failed=1.5)), "", (0, 0)),
        (
            report(
                **{"date-range": {"start-datetime": "2026-11-29T00:00:00", "end-datetime": "2026-11-29T23:59:59+02:00"}}
            ),
            "",
            (5, 0),
        ),
    ],
)
def test_what_real_reporters_leave_out_or_say_oddly_is_no_reason_to_refuse(content, submitter, sums):
    found = read(content)
    assert found.submitter == (submitter or "Example Inc.")
    assert [(each.domain, each.good, each.failed) for each in found.domains] == [(OURS, *sums)]


def test_a_policy_that_names_no_domain_is_about_the_one_of_the_mails_header():
    # sys4/tlsrpt-reporter 51: policy-domain is missing for no-policy-found.
    nameless = {**policy(), "policy": {"policy-type": "no-policy-found"}}
    assert [each.domain for each in read(report(nameless), OURS).domains] == [OURS]
    assert read(report(nameless)).domains == ()


def test_texts_are_one_clean_line_each():
    found = read(report(**{"organization-name": "a\r\nb\x1b[31m" + "x" * 1_000, "report-id": ["no", "text"]}))
    assert found.submitter.startswith("a b [31mx")
    assert len(found.submitter) == 200
    assert found.report_id == "2026-11-29T00:00:00+00:00"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no JSON"),
        (b"[]", "no JSON object"),
        (b"{", "no JSON"),
        (b"\xff\xfe{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 100_000, "no JSON"),
        (b'{"report-id": ' + b"9" * 5_000 + b"}", "no JSON"),
        (report(**{"date-range": ...}), "no date-range"),
        (
            report(**{"date-range": {"start-datetime": "0001-01-01T00:00:00+14:00", "end-datetime": "x"}}),
            "no date-range",
        ),
        (b" " * (MOST_OCTETS + 1), "larger than"),
        (gzip.compress(b" " * (MOST_OCTETS + 1)), "unpacks to more"),
        (gzip.compress(gzip.compress(report())), "no JSON"),
        (gzip.compress(report())[:-9], "ends too early"),
        (b"\x1f\x8b" + b"junk" * 10, "damaged"),
        (zlib.compress(report()), "no JSON"),
    ],
)
def test_what_is_no_report_is_refused_with_its_reason(content, why):
    found = parse_report(content)
    assert isinstance(found, str)
    assert why in found


def test_of_many_failures_the_most_frequent_twenty_are_kept():
    details = [{"result-type": f"r{n}", "failed-session-count": n} for n in range(100)]
    (domain,) = read(report(policy(0, 4950, details=details))).domains
    assert [each.sessions for each in domain.failures] == list(range(99, 79, -1))
    assert domain.failed == 4950


def mail(content: bytes = b"", kind: str = "tlsrpt+gzip", name: str = "r.json.gz", *, about: str = OURS) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "tls@example.com", f"tlsrpt@{OURS}", "Report Domain: x"
    message["Date"] = datetime.now(UTC)
    message["TLS-Report-Domain"] = about
    message.set_content("This is an aggregate TLS report.")
    message.add_attachment(content or gzip.compress(report()), maintype="application", subtype=kind, filename=name)
    return message.as_bytes(policy=SMTP)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("tlsrpt+gzip", "any"),
        ("tlsrpt+json", "any"),
        ("gzip", "google.com!sms.example.net!1!2!001.json.gz"),
        ("octet-stream", "A.JSON.GZ"),
        ("json", "report.json"),
    ],
)
def test_a_report_is_found_in_a_mail_by_its_type_or_its_name(kind, name):
    found = find_report(mail(kind=kind, name=name))
    assert isinstance(found, tuple)
    packed, domain = found
    assert (gzip.decompress(packed), domain) == (report(), OURS)


@pytest.mark.parametrize(("kind", "name"), [("octet-stream", "virus.exe"), ("zip", "r.zip"), ("pdf", "r.json.pdf")])
def test_a_mail_without_a_report_is_refused(kind, name):
    found = find_report(mail(kind=kind, name=name))
    assert isinstance(found, Refused)
    assert "no TLS report" in found.detail


@pytest.fixture
def world(database_url):
    world = InboundHarness(database_url)
    world.clock.instant = datetime.now(UTC)
    yield world
    world.database.close()


def keeper(world) -> ReceivedReports:
    return ReceivedReports(
        database=world.database, keys=world.keys, domains=(OURS, "mx.example.net"), clock=world.clock
    )


def kept(world, domain: str = "") -> list:
    return list(world.database.read_now(lambda tx: list_reports(tx, 0, domain, 100)))


async def test_only_what_is_about_our_domains_is_kept_and_a_report_that_comes_again_counts_once(world):
    reports = keeper(world)
    content = report(policy(), policy(9, domain="example.org"), policy(4, domain="mx.example.net"))
    assert await reports.keep(content, source="192.0.2.9") == 2
    assert await reports.keep(content, source="192.0.2.10") == 2
    assert sorted((each.domain, each.good, each.source) for each in kept(world)) == [
        ("mx.example.net", 4, "192.0.2.9"),
        (OURS, 5, "192.0.2.9"),
    ]
    assert [each.domain for each in kept(world, OURS)] == [OURS]
    refused = await reports.keep(report(policy(domain="example.org")), source="x")
    assert isinstance(refused, Refused)
    assert (refused.refusal, "no domain of this gateway" in refused.detail) == (Refusal.MAIL_MALFORMED, True)


async def test_reports_are_forgotten_after_ninety_days_and_beyond_ten_thousand(world):
    reports = keeper(world)
    await reports.keep(report(), source="x")
    world.clock.move(timedelta(days=91))
    await reports.keep(report(**{"report-id": "2"}), source="x")
    assert [each.report_id for each in kept(world)] == ["2"]


async def test_who_signed_the_mail_is_kept_and_a_false_signature_is_nobodys(world):
    key = rsa_key()
    async with name_server() as names:
        names.add_text("s1._domainkey.example.com", key_record(key, "s=tlsrpt; "))
        mails = ReportMails(keeper(world), names.resolver(), now=lambda: datetime.now(UTC))
        signed = dkim_signed(mail(), key=key, domain="example.com", selector="s1")
        assert await mails.find_signers(signed) == ("example.com",)
        assert await mails.find_signers(signed.replace(b"aggregate", b"honest")) == ()
        assert await mails.find_signers(mail()) == ()
        assert await mails.take(signed, "192.0.2.9") == 1
    (found,) = kept(world)
    assert (found.signed_by, found.source) == ("example.com", "192.0.2.9")
