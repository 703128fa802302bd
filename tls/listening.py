"""What a listener asks of TLS, as the operator's file says it and the server does it.

Not here: the contexts that follow from it (tls.server_contexts).
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class TlsMode(StrEnum):
    """How a listener speaks TLS: never, by STARTTLS at will or always (RFC 3207), from the first octet (RFC 8314)."""

    OFF = "off"
    OFFER = "offer"
    REQUIRE = "require"
    IMPLICIT = "implicit"


class CertificateRequest(StrEnum):
    """Whether a client is asked for a certificate, or turned away without a good one."""

    NONE = "none"
    REQUEST = "request"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """The files of a certificate that listeners show: its chain, and its key."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTls:
    """The TLS of one listener, whatever it speaks.

    `certificates` are chosen from by the name that the client asks for (SNI, RFC 6066 §3); who asks for none of their
    names is shown the first. `client_ca_file` holds the authorities of clients' certificates.
    """

    certificates: tuple[ServerCertificate, ...] = ()
    client_certificate: CertificateRequest = CertificateRequest.NONE
    client_ca_file: Path | None = None
