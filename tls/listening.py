"""What a listener asks of TLS, as the operator's file says it and the server does it.

Not here: the contexts that follow from it (tls.contexts).
"""

from enum import StrEnum


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
