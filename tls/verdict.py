"""Whether a connection meets what is demanded of it.

Only subjectAltName counts for names. Pure. Not here: the demand (tls.policy), reading a connection (tls.contexts). RFC
7672, RFC 8461, RFC 8689, RFC 9525.
"""

from dataclasses import dataclass
from typing import Final

from tls.names import matches_any
from tls.policy import DaneState, Demand, HostProof, Pin, PinKind, TlsLevel
from tls.result_types import ResultType


@dataclass(frozen=True, slots=True, kw_only=True)
class Achieved:
    """The TLS of one connection. `names` are the dNSNames of the certificate; digests are SHA-256 in hex.

    `trusted`: the handshake verified the chain against the authorities of the demand; `dane_fault` is why no TLSA
    record matched, empty if one did. `testing_fault` is what would fail if an MTA-STS policy in mode `testing` counted.
    """

    encrypted: bool
    version: str = ""
    cipher: str = ""
    trusted: bool = False
    names: tuple[str, ...] = ()
    certificate: str = ""
    public_key: str = ""
    dane_fault: str = ""
    testing_fault: ResultType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsVerdict:
    """Whether mail may be sent; if not, the cause and the RFC 3463 status of the deferral.

    `result` is what a TLS report says of the session beside; `cause` then says why, though mail may be sent.
    """

    granted: bool
    cause: str = ""
    status: str = ""
    result: ResultType | None = None


_GRANTED = TlsVerdict(granted=True)
NO_REQUIRETLS: Final = "4.7.30"
"""The status of a host that doesn't offer REQUIRETLS (RFC 8689 §4.2.1)."""


def judge(demand: Demand, achieved: Achieved) -> TlsVerdict:
    """Compare the demand with what was achieved; called before AUTH and MAIL."""
    if demand.blocked:
        return TlsVerdict(granted=False, cause=demand.blocked, status="4.7.5", result=_result_of_block(demand))
    if not achieved.encrypted:
        return TlsVerdict(
            granted=not demand.tls_required,
            cause="the connection is not encrypted",
            status="4.7.4",
            result=ResultType.STARTTLS_NOT_SUPPORTED,
        )
    if cause := _judge_pins(demand, achieved):
        result = ResultType.VALIDATION_FAILURE if demand.dane_in_force and achieved.dane_fault else None
        return TlsVerdict(granted=False, cause=cause, status="4.7.5", result=result)
    if cause := _judge_chain(demand, achieved):
        result = ResultType.CERTIFICATE_HOST_MISMATCH if demand.sts_in_force else None
        return TlsVerdict(granted=False, cause=cause, status="4.7.5", result=result)
    return _judge_published(demand, achieved)


def _result_of_block(demand: Demand) -> ResultType | None:
    if demand.dane.state is DaneState.FAILED:
        return ResultType.DNSSEC_INVALID
    return ResultType.VALIDATION_FAILURE if demand.sts_in_force else None


def _judge_published(demand: Demand, achieved: Achieved) -> TlsVerdict:
    """Return the verdict on a connection that is good enough, with what its domain should mend all the same."""
    if demand.dane.state is DaneState.UNUSABLE:
        return TlsVerdict(granted=True, cause=demand.dane.cause, result=ResultType.TLSA_INVALID)
    if demand.sts.fault is not None and not demand.dane_in_force:
        return TlsVerdict(granted=True, cause=demand.sts.cause, result=demand.sts.fault)
    if achieved.testing_fault is not None:
        return TlsVerdict(granted=True, cause="", result=achieved.testing_fault)
    return _GRANTED


def _judge_pins(demand: Demand, achieved: Achieved) -> str:
    if demand.level is TlsLevel.FINGERPRINT:
        shown = {
            Pin(kind=PinKind.CERTIFICATE, digest=achieved.certificate),
            Pin(kind=PinKind.PUBLIC_KEY, digest=achieved.public_key),
        }
        if shown.isdisjoint(demand.policy.pins):
            return f"certificate {achieved.certificate[:16]}… is none of the {len(demand.policy.pins)} pinned"
    if demand.dane_in_force and achieved.dane_fault:
        return f"no TLSA record matches: {achieved.dane_fault}"
    return ""


def _judge_chain(demand: Demand, achieved: Achieved) -> str:
    if not demand.needs_authority:
        return ""
    if not achieved.trusted:
        return "certificate not verified"
    expected = expected_names(demand)
    if matches_any(achieved.names, expected):
        return ""
    shown = ", ".join(achieved.names[:3]) or "no DNS name"
    return f"certificate name mismatch: it shows {shown}, expected {' or '.join(expected)}"


def expected_names(demand: Demand) -> tuple[str, ...]:
    """Return the name patterns; the certificate must match one if a chain is demanded."""
    if demand.level in {TlsLevel.SECURE, TlsLevel.PRIVATE_CA}:
        if demand.policy.names:
            return demand.policy.names
        if demand.proof is not HostProof.CONFIGURED:
            return (demand.domain, f".{demand.domain}")
    return (demand.host,)


def explain_refusal(demand: Demand, verdict: TlsVerdict) -> str:
    """Say what waits and why: status, cause, domain, policy and its origin."""
    status = verdict.status
    if demand.policy.require_tls and status != NO_REQUIRETLS:
        status = "4.7.10"  # RFC 8689 §4.2.1: encryption needed
    return f"{status} {verdict.cause}, domain {demand.domain}, policy {demand}"
