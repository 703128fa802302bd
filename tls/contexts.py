"""SSL contexts and certificates of clients: mail out, carriers; what listeners share with them; when to reload them.

Contexts are rebuilt when their files change on disk. Not here: which role needs which safety (tls.policy), what
listeners show (tls.server_contexts), and connections. RFC 9325 (versions, ciphers), RFC 9525.
"""

import hashlib
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tls.policy import Demand, TlsLevel, TlsVersion

log = structlog.get_logger()

# RFC 9325 §4.2: forward secrecy and AEAD, wherever TLS is demanded. TLS 1.3 has only such ciphers.
MODERN_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# The exception for one old domain: all ciphers of OpenSSL that are not anonymous or void.
_OLD_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=0"

_REVOCATION_LIST = "-----BEGIN X509 CRL-----"


class ContextError(Exception):
    """A certificate, key or authority file cannot be used; the message names the file and why."""


class ReloadedContext:
    """Gives a context to each new connection, from its files as they are then; open connections keep their own.

    Broken new files leave the last good context in use and are logged once, with `about`. The first context is built
    here; raises `ContextError` on failure.
    """

    def __init__(self, build: Callable[[], ssl.SSLContext], paths: tuple[Path, ...], **about: str) -> None:
        self._build = build
        self._paths = paths
        self._about = about
        self._seen = fingerprint_files(paths)
        self._context = build()

    def current(self) -> ssl.SSLContext:
        """Return the context to use now."""
        seen = fingerprint_files(self._paths)
        if seen != self._seen:
            self._seen = seen
            try:
                self._context = self._build()
                log.info("certificate_reloaded", **self._about)
            except ContextError as error:
                log.error("certificate_unusable", **self._about, fault=str(error), kept="the previous one")
        return self._context


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """The certificate that we show as a client."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRole:
    """What decides a client context. `ca_file` None means the system's authorities; unused if nothing is verified.

    `check_hostname` asks OpenSSL itself to compare the name; mail out does not, since it judges names by its policy.
    """

    verify: bool
    ca_file: Path | None = None
    check_hostname: bool = False
    minimum_version: TlsVersion = TlsVersion.TLS_1_2
    ciphers: str = ""
    certificate: ClientCertificate | None = None


def role_of(demand: Demand, certificate: ClientCertificate | None = None) -> ClientRole:
    """Return the context that a demand of the mail policy needs."""
    policy = demand.policy
    private = policy.level is TlsLevel.PRIVATE_CA
    ciphers = policy.ciphers
    if not ciphers and demand.tls_required and policy.minimum_version is not TlsVersion.TLS_1_0:
        ciphers = MODERN_CIPHERS
    return ClientRole(
        verify=demand.needs_authority,
        ca_file=Path(policy.ca_file) if private else None,
        minimum_version=policy.minimum_version,
        ciphers=ciphers,
        certificate=certificate,
    )


def verified_peer_role(
    ca_file: Path | None = None,
    certificate: ClientCertificate | None = None,
    *,
    minimum_version: TlsVersion = TlsVersion.TLS_1_2,
    ciphers: str = "",
) -> ClientRole:
    """Return the context for a carrier's or a directory's server: its name is verified, against `ca_file` if given.

    Also an old version or old ciphers, for an old message centre, leave its name verified.
    """
    if not ciphers and minimum_version is not TlsVersion.TLS_1_0:
        ciphers = MODERN_CIPHERS
    return ClientRole(
        verify=True,
        ca_file=ca_file,
        check_hostname=True,
        minimum_version=minimum_version,
        ciphers=ciphers,
        certificate=certificate,
    )


class ClientContexts:
    """Builds client contexts and keeps them as long as their files stay the same.

    `system_ca_file` replaces the system's bundle of authorities.
    """

    def __init__(self, system_ca_file: Path | None = None) -> None:
        self._system_ca_file = system_ca_file
        self._kept: dict[ClientRole, tuple[tuple[object, ...], ssl.SSLContext]] = {}

    def get(self, role: ClientRole) -> ssl.SSLContext:
        """Return a context for the role; raises `ContextError` if its files cannot be used, even if they once could.

        Unlike a listener's certificate, a client's old authorities are not kept: an unverified peer must not be
        trusted.
        """
        seen = fingerprint_files(self.paths(role))
        kept = self._kept.get(role)
        if kept is not None and kept[0] == seen:
            return kept[1]
        self._kept.pop(role, None)
        context = self._build(role)
        self._kept[role] = (seen, context)
        return context

    def paths(self, role: ClientRole) -> tuple[Path, ...]:
        """Return the files of a role."""
        authorities = (role.ca_file or self.system_bundle()) if role.verify else None
        own = role.certificate
        paths = (authorities, own.certificate_file if own else None, own.key_file if own else None)
        return tuple(path for path in paths if path is not None)

    def system_bundle(self) -> Path | None:
        """Return the file of the system's authorities, None if it has none."""
        if self._system_ca_file is not None:
            return self._system_ca_file
        found = ssl.get_default_verify_paths().cafile
        return Path(found) if found else None

    def _build(self, role: ClientRole) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.hostname_checks_common_name = False  # RFC 9525 §2: never by common name
        limit_versions(context, role.minimum_version)
        if role.ciphers:
            try:
                context.set_ciphers(role.ciphers)
            except ssl.SSLError as error:
                raise ContextError(f"no cipher matches {role.ciphers!r}") from error
        if role.verify:
            context.check_hostname = role.check_hostname
            self._load_trust(context, role)
        else:
            context.verify_mode = ssl.CERT_NONE
        if role.certificate is not None:
            load_certificate(context, role.certificate.certificate_file, role.certificate.key_file)
        return context

    def _load_trust(self, context: ssl.SSLContext, role: ClientRole) -> None:
        authorities = role.ca_file or self._system_ca_file
        if authorities is None:
            context.set_default_verify_paths()
        else:
            load_authorities(context, authorities)
        if role.ca_file is not None:
            # A file given for this purpose may name an intermediate authority, or the one certificate, as its anchor.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def reloaded_client_context(role: ClientRole, **about: str) -> ReloadedContext:
    """Return the contexts for one peer that we call."""
    contexts = ClientContexts()
    return ReloadedContext(partial(contexts.get, role), contexts.paths(role), **about)


def limit_versions(context: ssl.SSLContext, minimum: TlsVersion) -> None:
    """Allow only versions from the minimum on, without what has been attacked in all of them."""
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if minimum is TlsVersion.TLS_1_0:
        # MINIMUM_SUPPORTED, since any use of TLSv1 warns; SSLv3 is compiled in nowhere.
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers(_OLD_CIPHERS)
    else:
        newest = minimum is TlsVersion.TLS_1_3
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if newest else ssl.TLSVersion.TLSv1_2


def load_certificate(context: ssl.SSLContext, certificate_file: Path, key_file: Path) -> None:
    """Load a chain with its key; raises ContextError where the files can't be used or do not belong together."""
    try:
        # Without the password callback an encrypted key would ask at a terminal that nobody watches.
        context.load_cert_chain(certificate_file, key_file, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        for file, what in ((certificate_file, "CERTIFICATE"), (key_file, "PRIVATE KEY")):
            if file.is_file() and f"{what}-----" not in file.read_text("ascii", "replace"):
                raise ContextError(f"{file} holds no {what.lower()} in PEM") from error
        if key_file.is_file() and "ENCRYPTED" in key_file.read_text("ascii", "replace"):
            raise ContextError(f"{key_file} is encrypted: store it without a passphrase") from error
        raise ContextError(f"{certificate_file} with {key_file}: {_say(error)}") from error


def load_authorities(context: ssl.SSLContext, ca_file: Path) -> None:
    """Load authorities and their revocation lists; raises ContextError for a file without any."""
    try:
        context.load_verify_locations(cafile=ca_file)
        # A file of revocation lists must have one for each authority that signs hosts; a missing one refuses.
        if _REVOCATION_LIST in ca_file.read_text("ascii", "replace"):
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except (OSError, ssl.SSLError) as error:
        raise ContextError(f"{ca_file}: {_say(error)}") from error
    if not context.cert_store_stats()["x509_ca"] and not context.cert_store_stats()["x509"]:
        raise ContextError(f"{ca_file}: holds no certificate")


def _say(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key belongs to another certificate than the first of the file"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not usable").lower().replace("_", " ")
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else type(error).__name__
    return "not usable"


def fingerprint_files(paths: tuple[Path, ...]) -> tuple[object, ...]:
    """Return what differs once one of the files was written or replaced."""
    seen: list[object] = []
    for path in paths:
        try:
            status = path.stat()
            seen.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            seen.append(None)
    return tuple(seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """What a peer showed: SHA-256 digests in hex, its dNSNames, and the chain in DER, its own first."""

    certificate: str
    public_key: str
    names: tuple[str, ...]
    chain: tuple[bytes, ...]


def read_peer(tls: ssl.SSLObject | ssl.SSLSocket) -> PeerCertificate | None:
    """Return the peer's certificate after a finished handshake, None if it showed none."""
    leaf = tls.getpeercert(binary_form=True)
    if not leaf:
        return None
    return describe_certificate(leaf, _read_chain(tls) or (leaf,))


def describe_certificate(leaf: bytes, chain: tuple[bytes, ...] = ()) -> PeerCertificate:
    """Describe a certificate in DER; one that cannot be parsed has no names and no key digest: it matches nothing."""
    digest = hashlib.sha256(leaf).hexdigest()
    try:
        parsed = x509.load_der_x509_certificate(leaf)
        public_key = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        names = read_names(parsed)
    except (ValueError, x509.UnsupportedGeneralNameType):
        return PeerCertificate(certificate=digest, public_key="", names=(), chain=chain or (leaf,))
    return PeerCertificate(
        certificate=digest,
        public_key=hashlib.sha256(public_key).hexdigest(),
        names=names,
        chain=chain or (leaf,),
    )


def read_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the dNSNames of a certificate."""
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(alternatives.value.get_values_for_type(x509.DNSName))


def _read_chain(tls: ssl.SSLObject | ssl.SSLSocket) -> tuple[bytes, ...]:
    public: Callable[[], list[bytes]] | None = getattr(tls, "get_unverified_chain", None)
    if public is not None:  # from Python 3.13
        return tuple(public())
    # Python 3.11 and 3.12 have it only one level down.
    inner = getattr(tls, "_sslobj", None)
    chain = inner.get_unverified_chain() if inner is not None else None
    return tuple(_der(certificate) for certificate in chain or ())


def _der(certificate: object) -> bytes:
    # `public_bytes` returns PEM text unless asked for DER, which is 2 in all versions that have it.
    encoded = certificate.public_bytes(2)  # type: ignore[attr-defined] # private type of the ssl module
    return encoded if isinstance(encoded, bytes) else ssl.PEM_cert_to_DER_cert(encoded)
