"""DANE for SMTP: whether a host has usable TLSA records, and whether its certificates match them.

The upper half is pure; `find_tlsa` asks DNS. Not here: the consequence of a mismatch (tls.policy). RFC 6698, RFC 7671
(digest agility, §9), RFC 7672. Only answers that a trusted validating resolver authenticated are used.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from tls.names import matches_any
from tls.policy import DaneResult, DaneState, Tlsa
from tls.resolver import Lookup, Resolver

_DANE_TA = 2
_DANE_EE = 3
_CERTIFICATE = 0
_PUBLIC_KEY = 1
_EXACT = 0
_DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}


def select_usable(records: Sequence[Tlsa]) -> tuple[Tlsa, ...]:
    """Return the records that a client must use: only the strongest digest of each usage and selector.

    Usages 0 and 1 are unusable for SMTP (RFC 7672 §3.1.3), as are unknown selectors and matching types.
    """
    usable = [record for record in records if _is_usable(record)]
    strongest: dict[tuple[int, int], int] = {}
    for record in usable:
        key = (record.usage, record.selector)
        strongest[key] = max(strongest.get(key, 0), record.matching)
    # RFC 7671 §9: matching type 0 always counts
    return tuple(record for record in usable if record.matching in {_EXACT, strongest[record.usage, record.selector]})


def _is_usable(record: Tlsa) -> bool:
    if record.usage not in {_DANE_TA, _DANE_EE} or record.selector not in {_CERTIFICATE, _PUBLIC_KEY}:
        return False
    if record.matching == _EXACT:
        return bool(record.data)
    digest = _DIGESTS.get(record.matching)
    return digest is not None and len(record.data) == digest().digest_size


def matches_record(record: Tlsa, certificate: x509.Certificate) -> bool:
    """Return whether one record matches one certificate, whatever its usage."""
    if record.selector == _CERTIFICATE:
        selected = certificate.public_bytes(Encoding.DER)
    else:
        selected = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = _DIGESTS.get(record.matching)
    return record.data == (digest(selected).digest() if digest else selected)


def find_dane_fault(
    records: Sequence[Tlsa], chain: Sequence[bytes], names: Sequence[str], reference_names: Sequence[str], now: datetime
) -> str:
    """Return why no record matches the certificates shown (DER, the host's own first), empty when one does.

    `names` are the dNSNames of the host's certificate; they and its dates matter for usage 2 only (RFC 7672 §3.1.1).
    """
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        if not certificates:
            return "the host showed no certificate"
        if any(record.usage == _DANE_EE and matches_record(record, certificates[0]) for record in records):
            return ""
        fault = _find_authority_fault(records, certificates, now)
    except ValueError:
        return "a malformed certificate"
    if not fault and not matches_any(names, reference_names):
        return f"certificate name mismatch: expected {' or '.join(reference_names)}"  # RFC 7672 §3.2.2
    return fault


def _find_authority_fault(records: Sequence[Tlsa], certificates: Sequence[x509.Certificate], now: datetime) -> str:
    anchors = _find_anchors([record for record in records if record.usage == _DANE_TA], certificates)
    if not anchors:
        return f"none of {len(records)} records describes the certificate or its authority"
    if not leads_to(anchors, certificates, now):
        return "the chain does not lead to the authority that the records name, or is out of date"
    return ""


def _find_anchors(records: Sequence[Tlsa], certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the certificates that may anchor the chain: shown ones, or a whole one from a record `2 0 0`."""
    given = [
        x509.load_der_x509_certificate(record.data)
        for record in records
        if record.selector == _CERTIFICATE and record.matching == _EXACT
    ]
    shown = [
        certificate
        for certificate in certificates[1:]
        if any(matches_record(record, certificate) for record in records)
    ]
    return shown + given


def leads_to(anchors: Sequence[x509.Certificate], chain: Sequence[x509.Certificate], now: datetime) -> bool:
    """Return whether a chain (the host's own first) leads to one of the anchors now; names are no matter of it."""
    # Our own rule judges the name, so the verifier needs no subject, and no SAN of authorities.
    authority = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(now)
        .extension_policies(ca_policy=authority, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(chain[0], list(chain[1:]))
    except VerificationError:
        return False
    return True


async def find_tlsa(host: str, port: int, resolver: Resolver) -> DaneResult:
    """Ask for the TLSA records that bind `host`, which DNSSEC or the operator has already named for the domain.

    Unproven addresses make DANE inapplicable (RFC 7672 §2.1.1); a failed answer makes the host unusable.
    """
    addresses = await resolver.addresses(host)
    if addresses.lookup is Lookup.FAILED:
        return DaneResult(state=DaneState.FAILED, base=host, cause=addresses.cause)
    if not addresses.authentic:
        return DaneResult(state=DaneState.ABSENT, base=host, cause="DNSSEC does not prove the host's addresses")
    # RFC 7672 §2.2.2: the name at the end of secure aliases first, then the name itself
    for base in dict.fromkeys((addresses.name or host, host)):
        answer = await resolver.tlsa(f"_{port}._tcp.{base}")
        if answer.lookup is Lookup.FAILED:
            return DaneResult(state=DaneState.FAILED, base=base, cause=answer.cause)
        if answer.lookup is not Lookup.FOUND or not answer.authentic:
            continue
        usable = select_usable(answer.values)
        if usable:
            return DaneResult(state=DaneState.USABLE, records=usable, base=base)
        return DaneResult(state=DaneState.UNUSABLE, base=base, cause="usage, selector or matching type not for SMTP")
    return DaneResult(state=DaneState.ABSENT, base=host, cause="no TLSA records")
