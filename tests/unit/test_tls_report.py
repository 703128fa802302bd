"""TLS reports: who wants one, what a session counts as, and what a report says of it (RFC 8460)."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from tls.policy import (
    DaneResult,
    DaneState,
    HostProof,
    Pin,
    PinKind,
    PolicyEntry,
    PolicyTable,
    StsMode,
    StsResult,
    Tlsa,
    TlsLevel,
    TlsPolicy,
    decide_policy,
)
from tls.report import (
    PolicyType,
    ReportAbout,
    judge_session,
    parse_destinations,
    report_instant,
    write_report,
)
from tls.result_types import ResultType
from tls.verdict import Achieved, judge

DAY = date(2026, 11, 29)
ABOUT = ReportAbout(day=DAY, domain="example.com", sender="sms.example.net", contact="postmaster@sms.example.net")
RECORD = Tlsa(usage=3, selector=1, matching=1, data=b"\xab" * 32)
STS = StsResult(mode=StsMode.ENFORCE, mx=("mx.example.com",), max_age=86_400)
GOOD = Achieved(encrypted=True, trusted=True, names=("mx.example.com",))


@pytest.mark.parametrize(
    ("texts", "destinations"),
    [
        (["v=TLSRPTv1; rua=mailto:tls@example.com"], ("mailto:tls@example.com",)),
        (["v=TLSRPTv1;rua=mailto:tls@example.com,https://r.example.com/v1?a=b;"], None),
        (["v=TLSRPTv1; rua=MAILTO:a%2Bb@example.com?subject=x"], ("mailto:a+b@example.com",)),
        (["v=TLSRPTv1; rua=mailto:a@example.com, mailto:a@example.com"], ("mailto:a@example.com",)),
        (["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@example.com"], ("mailto:a@example.com",)),
        (["v=TLSRPTv1; rua=mailto:a@example.com", "v=TLSRPTv1; rua=mailto:b@example.com"], ()),
        (["v=TLSRPTv1; rua=" + ",".join(f"mailto:{n}@example.com" for n in "abcdef")], "abc"),
        (["v=TLSRPTv1; rua=postmaster@example.com"], ()),
        (["v=TLSRPTv1; rua=http://example.com/r"], ()),
        (["v=TLSRPTv1; rua=https://user:secret@example.com/r"], ()),
        (["v=TLSRPTv1; rua=https://[::1"], ()),
        (["v=TLSRPTv1; rua=mailto:a@example.com%0D%0ABcc:b@example.com"], ()),
        (["v=TLSRPTv1; rua=mailto:"], ()),
        (["v=TLSRPTv1; rua="], ()),
        (["v=TLSRPTv1"], ()),
        (["V=TLSRPTv1; rua=mailto:a@example.com"], ()),
        ([], ()),
    ],
)
def test_reports_go_where_exactly_one_record_says_and_nowhere_strange(texts, destinations):
    if destinations is None:
        destinations = ("mailto:tls@example.com", "https://r.example.com/v1?a=b")
    if isinstance(destinations, str):
        destinations = tuple(f"mailto:{name}@example.com" for name in destinations)
    assert parse_destinations(texts) == destinations


def session(
    achieved=GOOD,
    level=TlsLevel.MAY,
    *,
    proof=HostProof.DNSSEC,
    dane=None,
    sts=None,
    domain="example.com",
    **policy,
):
    table = PolicyTable((PolicyEntry(policy=TlsPolicy(level=level, **policy)),))
    demand = decide_policy(domain, "", table, host="mx.example.com", proof=proof, dane_result=dane, sts_result=sts)
    return judge_session(demand, judge(demand, achieved), address="192.0.2.25", source="192.0.2.1")


USABLE = DaneResult(state=DaneState.USABLE, records=(RECORD,), base="mx.example.com")
CLEAR = Achieved(encrypted=False)


@pytest.mark.parametrize(
    ("more", "kind", "result"),
    [
        ({}, PolicyType.NONE, None),
        ({"achieved": CLEAR}, PolicyType.NONE, ResultType.STARTTLS_NOT_SUPPORTED),
        ({"achieved": CLEAR, "level": TlsLevel.ENCRYPT}, PolicyType.NONE, ResultType.STARTTLS_NOT_SUPPORTED),
        ({"dane": USABLE}, PolicyType.TLSA, None),
        ({"dane": USABLE, "sts": STS}, PolicyType.TLSA, None),
        (
            {"dane": USABLE, "achieved": Achieved(encrypted=True, dane_fault="another key")},
            PolicyType.TLSA,
            ResultType.VALIDATION_FAILURE,
        ),
        ({"dane": DaneResult(state=DaneState.UNUSABLE)}, PolicyType.TLSA, ResultType.TLSA_INVALID),
        ({"dane": DaneResult(state=DaneState.FAILED)}, PolicyType.TLSA, ResultType.DNSSEC_INVALID),
        ({"sts": STS}, PolicyType.STS, None),
        (
            {"sts": STS, "achieved": Achieved(encrypted=True, trusted=True, names=("mx.example.org",))},
            PolicyType.STS,
            ResultType.CERTIFICATE_HOST_MISMATCH,
        ),
        (
            {"sts": StsResult(mode=StsMode.ENFORCE, mx=("mx.example.org",))},
            PolicyType.STS,
            ResultType.VALIDATION_FAILURE,
        ),
        (
            {"sts": StsResult(mode=StsMode.FAILED, fault=ResultType.STS_WEBPKI_INVALID)},
            PolicyType.STS,
            ResultType.STS_WEBPKI_INVALID,
        ),
        ({"sts": StsResult(mode=StsMode.FAILED, cause="DNS")}, PolicyType.NONE, None),
        ({"sts": StsResult(mode=StsMode.NONE)}, PolicyType.NONE, None),
        (
            {
                "sts": StsResult(mode=StsMode.TESTING, mx=("mx.example.com",)),
                "achieved": Achieved(encrypted=True, testing_fault=ResultType.CERTIFICATE_EXPIRED),
            },
            PolicyType.STS,
            ResultType.CERTIFICATE_EXPIRED,
        ),
    ],
)
def test_a_session_counts_as_what_its_domain_publishes_and_can_mend(more, kind, result):
    noted = session(**more)
    assert noted is not None
    assert (noted.domain, noted.policy.kind, noted.result) == ("example.com", kind, result)
    assert bool(noted.host) is (result is not None)


@pytest.mark.parametrize(
    "more",
    [
        {"proof": HostProof.CONFIGURED},
        {"level": TlsLevel.NONE},
        {"level": TlsLevel.FINGERPRINT, "pins": (Pin(kind=PinKind.PUBLIC_KEY, digest="0" * 64),)},
        {"level": TlsLevel.PRIVATE_CA, "ca_file": "ca.pem"},
        {"domain": "[192.0.2.25]"},
        {"level": TlsLevel.SECURE, "achieved": Achieved(encrypted=True, trusted=True, names=("mx.example.org",))},
        {"level": TlsLevel.DANE_ONLY},
    ],
)
def test_what_a_domains_own_policies_have_no_say_in_is_not_counted(more):
    assert session(**more) is None


def test_a_report_has_each_policy_once_with_its_sums_and_failures():
    failed = session(CLEAR)
    other = session(Achieved(encrypted=True, dane_fault="another key"), dane=USABLE)
    told = json.loads(write_report(ABOUT, [(session(), 7), (failed, 2), (session(dane=USABLE), 5), (other, 1)]))
    assert told == {
        "organization-name": "sms.example.net",
        "date-range": {"start-datetime": "2026-11-29T00:00:00Z", "end-datetime": "2026-11-29T23:59:59Z"},
        "contact-info": "postmaster@sms.example.net",
        "report-id": "2026-11-29.example.com@sms.example.net",
        "policies": [
            {
                "policy": {
                    "policy-type": "no-policy-found",
                    "policy-string": [],
                    "policy-domain": "example.com",
                    "mx-host": [],
                },
                "summary": {"total-successful-session-count": 7, "total-failure-session-count": 2},
                "failure-details": [
                    {
                        "result-type": "starttls-not-supported",
                        "sending-mta-ip": "192.0.2.1",
                        "receiving-mx-hostname": "mx.example.com",
                        "receiving-ip": "192.0.2.25",
                        "failure-reason-code": "the connection is not encrypted",
                        "failed-session-count": 2,
                    }
                ],
            },
            {
                "policy": {
                    "policy-type": "tlsa",
                    "policy-string": ["3 1 1 " + "ab" * 32],
                    "policy-domain": "example.com",
                    "mx-host": [],
                },
                "summary": {"total-successful-session-count": 5, "total-failure-session-count": 1},
                "failure-details": [
                    {
                        "result-type": "validation-failure",
                        "sending-mta-ip": "192.0.2.1",
                        "receiving-mx-hostname": "mx.example.com",
                        "receiving-ip": "192.0.2.25",
                        "failure-reason-code": "no TLSA record matches: another key",
                        "failed-session-count": 1,
                    }
                ],
            },
        ],
    }


def test_an_mta_sts_policy_is_told_in_its_own_lines():
    (policy,) = json.loads(write_report(ABOUT, [(session(sts=STS), 1)]))["policies"]
    assert policy["policy"] == {
        "policy-type": "sts",
        "policy-string": ["version: STSv1", "mode: enforce", "max_age: 86400", "mx: mx.example.com"],
        "policy-domain": "example.com",
        "mx-host": ["mx.example.com"],
    }


def test_reports_go_out_within_four_hours_each_sender_at_its_own_time():
    midnight = datetime(2026, 11, 30, tzinfo=UTC)
    instants = {report_instant(DAY, f"sms{n}.example.net") for n in range(50)}
    assert len(instants) == 50
    assert midnight + timedelta(minutes=15) <= min(instants)
    assert max(instants) <= midnight + timedelta(hours=4, minutes=15)
    assert report_instant(DAY, "a.example") == report_instant(DAY, "a.example")
