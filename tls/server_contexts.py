"""The TLS of a listener: which certificate it shows to whom, and when its files are read again.

A certificate is chosen by the name that the client asks for (SNI, RFC 6066 §3): the name itself, else a wildcard for
its left label, else the listener's first. Certificates of one name with keys of different kinds (ECDSA, RSA) are
offered together, and the client takes what it understands. A file that turns bad leaves what was read from it before in
use, and leaves the other certificates alone. RFC 9325 (versions, ciphers).
"""

import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from tls.contexts import (
    MODERN_CIPHERS,
    ContextError,
    fingerprint_files,
    limit_versions,
    load_authorities,
    load_certificate,
    read_names,
)
from tls.listening import CertificateRequest, ListenerTls, ServerCertificate
from tls.policy import TlsVersion

log = structlog.get_logger()

_Group = tuple[ServerCertificate, ...]


@dataclass(frozen=True, slots=True)
class _Identity:
    """What a certificate is good for: its names, and the kind of its key."""

    names: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a listener shows: identities as they were read, and a context for each group of certificates."""

    identities: Mapping[ServerCertificate, _Identity] = field(default_factory=dict)
    contexts: Mapping[_Group, ssl.SSLContext] = field(default_factory=dict)
    default: ssl.SSLContext | None = None


class ServerContexts:
    """Gives a context to each new connection, from its files as they are then; open connections keep their own.

    Raises `ContextError` where a file can't be used at first; later each such file is logged, and `faults` has it.
    """

    def __init__(self, tls: ListenerTls) -> None:
        self._tls = tls
        files = [file for each in tls.certificates for file in (each.certificate_file, each.key_file)]
        self._paths = (*files, *([tls.client_ca_file] if tls.client_ca_file is not None else ()))
        self._seen = fingerprint_files(self._paths)
        self._shown, faults = _read(tls, _Shown())
        if faults:
            raise ContextError(faults[0])

    def current(self) -> ssl.SSLContext:
        """Return the context to use now."""
        if fingerprint_files(self._paths) != self._seen:
            self.reload()
        assert self._shown.default is not None
        return self._shown.default

    def reload(self) -> None:
        """Read all files again; what can't be used now stays as it was."""
        self._seen = fingerprint_files(self._paths)
        self._shown, faults = _read(self._tls, self._shown)
        for fault in faults:
            log.error("certificate_unusable", fault=fault, kept="the previous one")
        if not faults:
            log.info("certificates_reloaded", files=[str(each.certificate_file) for each in self._tls.certificates])


def build_server_context(tls: ListenerTls) -> ssl.SSLContext:
    """Build a context that shows all certificates of a listener at once: at most one of each kind of key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    limit_versions(context, TlsVersion.TLS_1_2)
    context.set_ciphers(MODERN_CIPHERS)
    for each in tls.certificates:
        load_certificate(context, each.certificate_file, each.key_file)
    if tls.client_certificate is not CertificateRequest.NONE:
        require = tls.client_certificate is CertificateRequest.REQUIRE
        context.verify_mode = ssl.CERT_REQUIRED if require else ssl.CERT_OPTIONAL
        if tls.client_ca_file is not None:
            load_authorities(context, tls.client_ca_file)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it may hold the clients' certificates themselves
    return context


def _read(tls: ListenerTls, before: _Shown) -> tuple[_Shown, Sequence[str]]:
    """Return what is to be shown by the files as they are, else as before; and what is wrong with them."""
    identities: dict[ServerCertificate, _Identity] = {}
    faults: dict[str, None] = {}
    for each in tls.certificates:
        try:
            build_server_context(_only(tls, [each]))
            identities[each] = _identify(each)
        except ContextError as error:
            faults[str(error)] = None
            if each in before.identities:
                identities[each] = before.identities[each]
    if faults and not before.contexts:
        return before, list(faults)
    by_name = _group(identities)
    first = tls.certificates[0]
    default_group = next((by_name[name] for name in identities[first].names), (first,))
    contexts: dict[_Group, ssl.SSLContext] = {}
    for group in {default_group, *by_name.values()}:
        try:
            contexts[group] = build_server_context(_only(tls, group))
        except ContextError:
            if group not in before.contexts:
                return before, list(faults)
            contexts[group] = before.contexts[group]
    default = contexts[default_group]
    named = {name: contexts[group] for name, group in by_name.items()}

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None:
            connection.context = _find(named, name) or default

    default.sni_callback = choose if len(contexts) > 1 else None
    return _Shown(identities, contexts, default), list(faults)


def _only(tls: ListenerTls, certificates: Iterable[ServerCertificate]) -> ListenerTls:
    return ListenerTls(
        certificates=tuple(certificates),
        client_certificate=tls.client_certificate,
        client_ca_file=tls.client_ca_file,
    )


def _identify(files: ServerCertificate) -> _Identity:
    """Return what a certificate is good for; where that can't be read, it is shown only to who names none."""
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate_file.read_bytes())
        names = tuple(name.lower() for name in read_names(certificate))
        return _Identity(names, type(certificate.public_key()).__name__)
    except (OSError, ValueError, UnsupportedAlgorithm, x509.UnsupportedGeneralNameType):
        return _Identity((), "")


def _group(identities: Mapping[ServerCertificate, _Identity]) -> Mapping[str, _Group]:
    """Return the certificates of each name: the first of each kind of key."""
    found: dict[str, dict[str, ServerCertificate]] = {}
    for each, identity in identities.items():
        for name in identity.names:
            found.setdefault(name, {}).setdefault(identity.kind, each)
    return {name: tuple(kinds.values()) for name, kinds in found.items()}


def _find(named: Mapping[str, ssl.SSLContext], name: str) -> ssl.SSLContext | None:
    """Return what is shown for a name; a wildcard is the whole left label, for exactly one (RFC 9525 §6.3)."""
    wanted = name.lower().rstrip(".")
    return named.get(wanted) or named.get(f"*.{wanted.partition('.')[2]}")
