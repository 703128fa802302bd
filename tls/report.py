"""TLS reports to the domains that we send to: which address wants them, what a session counts as, and the JSON.

Pure. Not here: counting (store.tls_reports), when a report goes out (gateway.tls_reports), its mail
(mta.sending.tls_report), reports of others (tls.received_report). RFC 8460.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from datetime import date as Date  # noqa: N812 - a day, not a function
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from tls.policy import DaneState, Demand, HostProof, StsMode
from tls.result_types import ResultType
from tls.verdict import TlsVerdict

_RECORD: Final = re.compile(r"v=TLSRPTv1[ \t]*;(.*)", re.DOTALL)
_ADDRESS: Final = re.compile(r"[\x21-\x7e]{1,64}@[A-Za-z0-9.-]{1,253}")
_UNSAFE: Final = re.compile(r"[\s<>()\[\],;:\\\"]")
_MOST_DESTINATIONS: Final = 3
_MOST_DETAILS: Final = 100
_JITTER: Final = timedelta(hours=4)
_SETTLED_AFTER: Final = timedelta(minutes=15)


class PolicyType(StrEnum):
    """What a domain publishes about TLS (RFC 8460 §4.2)."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPolicy:
    """A policy as a domain published it: TLSA records or the lines of an MTA-STS policy, and the latter's hosts."""

    kind: PolicyType
    strings: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What one session with a host of `domain` came to; no `result` is a success, of which nothing more is told.

    `reason` says more of a failure, `source` is our own address.
    """

    domain: str
    policy: PublishedPolicy
    result: ResultType | None = None
    reason: str = ""
    host: str = ""
    address: str = ""
    source: str = ""


def judge_session(demand: Demand, verdict: TlsVerdict, *, address: str, source: str) -> SessionResult | None:
    """Return what a session counts as; None where the domain's own hosts or policies had no say in it.

    A rule of ours that a host doesn't meet is no failure of what its domain publishes. An address literal publishes
    nothing.
    """
    if demand.proof is HostProof.CONFIGURED or not demand.level.discovers or demand.domain.startswith("["):
        return None
    result = verdict.result
    if result is None and not verdict.granted:
        return None
    policy = _published(demand)
    if result is None:
        return SessionResult(domain=demand.domain, policy=policy)
    return SessionResult(
        domain=demand.domain,
        policy=policy,
        result=result,
        reason=verdict.cause[:200],
        host=demand.host,
        address=address,
        source=source,
    )


def _published(demand: Demand) -> PublishedPolicy:
    if demand.dane.state in {DaneState.USABLE, DaneState.UNUSABLE, DaneState.FAILED}:
        records = (f"{item.usage} {item.selector} {item.matching} {item.data.hex()}" for item in demand.dane.records)
        return PublishedPolicy(kind=PolicyType.TLSA, strings=tuple(records))
    sts = demand.sts
    if sts.mode in {StsMode.ENFORCE, StsMode.TESTING}:
        lines = ("version: STSv1", f"mode: {sts.mode}", f"max_age: {sts.max_age}", *(f"mx: {host}" for host in sts.mx))
        return PublishedPolicy(kind=PolicyType.STS, strings=lines, hosts=sts.mx)
    if sts.fault is not None:
        return PublishedPolicy(kind=PolicyType.STS)
    return PublishedPolicy(kind=PolicyType.NONE)


def parse_destinations(texts: Iterable[str]) -> tuple[str, ...]:
    """Return where reports go by the TXT records at `_smtp._tls`, as `mailto:` and `https:` URIs (RFC 8460 §3).

    Without exactly one record there is none; what is neither of both is left out, as is everything after the third.
    """
    records = [match for text in texts if (match := _RECORD.match(text))]
    if len(records) != 1:
        return ()
    for entry in records[0].group(1).split(";"):
        key, _, value = entry.strip().partition("=")
        if key.strip() == "rua":
            found = (_destination(uri.strip()) for uri in value.split(","))
            return tuple(dict.fromkeys(uri for uri in found if uri))[:_MOST_DESTINATIONS]
    return ()


def _destination(uri: str) -> str:
    """Return a usable URI, empty for anything else."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() == "mailto":
        address = unquote(rest.partition("?")[0])
        return f"mailto:{address}" if _ADDRESS.fullmatch(address) and not _UNSAFE.search(address) else ""
    try:
        parts = urlsplit(uri)
        usable = scheme.lower() == "https" and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        return ""
    return uri if usable and uri.isascii() and uri.isprintable() and len(uri) <= 2000 else ""


def report_instant(day: Date, sender: str) -> datetime:
    """Return when a sender's reports of a day go out: within four hours, each at its own time (RFC 8460 §4.1)."""
    chosen = hashlib.sha256(f"{day}\0{sender}".encode()).digest()
    ended = datetime.combine(day + timedelta(days=1), time(), UTC)
    return ended + _SETTLED_AFTER + _JITTER * (int.from_bytes(chosen[:4]) / 2**32)


def report_id(day: Date, domain: str, sender: str) -> str:
    """Return the id of a report, the same whoever makes it again."""
    return f"{day}.{domain}@{sender}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAbout:
    """Whose report of which day about which domain; `sender` is a domain, `contact` a mail address."""

    day: Date
    domain: str
    sender: str
    contact: str


def write_report(about: ReportAbout, counted: Sequence[tuple[SessionResult, int]]) -> bytes:
    """Return a report as JSON (RFC 8460 §4.4); of the failures under one policy the hundred most frequent."""
    by_policy: dict[PublishedPolicy, list[tuple[SessionResult, int]]] = {}
    for session, count in counted:
        by_policy.setdefault(session.policy, []).append((session, count))
    told = {
        "organization-name": about.sender,
        "date-range": {
            "start-datetime": f"{about.day}T00:00:00Z",
            "end-datetime": f"{about.day}T23:59:59Z",
        },
        "contact-info": about.contact,
        "report-id": report_id(about.day, about.domain, about.sender),
        "policies": [_policy(policy, about.domain, sessions) for policy, sessions in by_policy.items()],
    }
    return json.dumps(told, ensure_ascii=True, indent=1).encode()


def _policy(
    policy: PublishedPolicy, domain: str, sessions: Sequence[tuple[SessionResult, int]]
) -> Mapping[str, object]:
    failed = sorted(((session, count) for session, count in sessions if session.result), key=lambda item: -item[1])
    return {
        "policy": {
            "policy-type": policy.kind.value,
            "policy-string": list(policy.strings),
            "policy-domain": domain,
            "mx-host": list(policy.hosts),
        },
        "summary": {
            "total-successful-session-count": sum(count for session, count in sessions if not session.result),
            "total-failure-session-count": sum(count for _, count in failed),
        },
        "failure-details": [_detail(session, count) for session, count in failed[:_MOST_DETAILS]],
    }


def _detail(session: SessionResult, count: int) -> Mapping[str, object]:
    told = {
        "result-type": session.result,
        "sending-mta-ip": session.source,
        "receiving-mx-hostname": session.host,
        "receiving-ip": session.address,
        "failure-reason-code": session.reason,
    }
    return {**{key: value for key, value in told.items() if value}, "failed-session-count": count}
