"""A TLS report of others about our domains, read from what anybody may have sent: bounded and forgiving.

Pure. What a report leaves out, names null or says in an odd way is no reason to refuse it; what is no report is. Not
here: finding it in a mail (mta.tls_report_mail), keeping it (gateway.received_reports). RFC 8460 §4.4.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tls.names import parse_domain

MOST_OCTETS: Final = 1 << 20
"""Of a report as JSON, and of one that is compressed."""

_MOST_POLICIES: Final = 200
_MOST_FAILURES: Final = 20
_MOST_SESSIONS: Final = 1 << 53
_LONGEST: Final = 200
_GZIP: Final = b"\x1f\x8b"
_WITH_GZIP_HEADER: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedFailure:
    """Sessions that failed alike, in the reporter's words."""

    policy: str
    result: str
    sessions: int
    host: str = ""
    address: str = ""
    source: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDomain:
    """What a report says of one domain; of the failures the twenty most frequent."""

    domain: str
    good: int
    failed: int
    failures: tuple[ReportedFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedReport:
    """A report; every text is one clean line that its sender chose."""

    submitter: str
    report_id: str
    contact: str
    begins_at: datetime
    ends_at: datetime
    domains: tuple[ReportedDomain, ...]


def unpack_report(content: bytes) -> bytes | str:
    """Return a report's JSON, of gzip or as it is, or why there is none."""
    if len(content) > MOST_OCTETS:
        return f"it is larger than {MOST_OCTETS} octets"
    if not content.startswith(_GZIP):
        return content
    unzip = zlib.decompressobj(_WITH_GZIP_HEADER)
    try:
        found = unzip.decompress(content, MOST_OCTETS)
    except zlib.error:
        return "its gzip is damaged"
    if unzip.unconsumed_tail:
        return f"it unpacks to more than {MOST_OCTETS} octets"
    return found if unzip.eof else "its gzip ends too early"


def parse_report(content: bytes, domain: str = "") -> ReceivedReport | str:
    """Return a report, or why it can't be read; `domain` is what a policy is about that names none."""
    octets = unpack_report(content)
    if isinstance(octets, str):
        return octets
    try:
        told = json.loads(octets)
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(told, dict):
        return "it is no JSON object"
    begins_at, ends_at = (
        _instant(_object(told.get("date-range")), name) for name in ("start-datetime", "end-datetime")
    )
    if begins_at is None or ends_at is None:
        return "it has no date-range"
    contact = _text(told.get("contact-info"))
    policies = told.get("policies")
    found = [
        _domain(_object(policy), domain) for policy in (policies if isinstance(policies, list) else ())[:_MOST_POLICIES]
    ]
    return ReceivedReport(
        submitter=_text(told.get("organization-name")) or contact.rpartition("@")[2] or "nobody named",
        report_id=_text(told.get("report-id")) or begins_at.isoformat(),
        contact=contact,
        begins_at=begins_at,
        ends_at=ends_at,
        domains=_merged([each for each in found if each is not None]),
    )


def _domain(told: Mapping[str, object], otherwise: str) -> ReportedDomain | None:
    policy, summary = _object(told.get("policy")), _object(told.get("summary"))
    domain = parse_domain(_text(policy.get("policy-domain")) or otherwise)
    if domain is None:
        return None
    details = told.get("failure-details")
    kind = _text(policy.get("policy-type")) or "no-policy-found"
    failures = [
        _failure(_object(item), kind) for item in (details if isinstance(details, list) else ())[:_MOST_POLICIES]
    ]
    return ReportedDomain(
        domain=domain,
        good=_count(summary.get("total-successful-session-count")),
        failed=_count(summary.get("total-failure-session-count")),
        failures=tuple(failures),
    )


def _failure(told: Mapping[str, object], kind: str) -> ReportedFailure:
    return ReportedFailure(
        policy=kind,
        result=_text(told.get("result-type")) or "unknown",
        sessions=_count(told.get("failed-session-count")),
        host=_text(told.get("receiving-mx-hostname")),
        address=_text(told.get("receiving-ip")),
        source=_text(told.get("sending-mta-ip")),
        reason=_text(told.get("failure-reason-code")) or _text(told.get("additional-information")),
    )


def _merged(found: Sequence[ReportedDomain]) -> tuple[ReportedDomain, ...]:
    """Return each domain once, whatever policies it was reported under."""
    merged = []
    for domain in dict.fromkeys(each.domain for each in found):
        parts = [each for each in found if each.domain == domain]
        failures = sorted((item for each in parts for item in each.failures), key=lambda item: -item.sessions)
        merged.append(
            ReportedDomain(
                domain=domain,
                good=sum(each.good for each in parts),
                failed=sum(each.failed for each in parts),
                failures=tuple(failures[:_MOST_FAILURES]),
            )
        )
    return tuple(merged)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return one clean line of at most 200 characters; what is no text is none."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(each if each.isprintable() else " " for each in value[: 4 * _LONGEST]).split())[:_LONGEST]


def _count(value: object) -> int:
    return min(max(value, 0), _MOST_SESSIONS) if isinstance(value, int) and not isinstance(value, bool) else 0


def _instant(told: Mapping[str, object], name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(told.get(name)))
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
