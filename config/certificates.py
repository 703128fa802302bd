"""The certificates that listeners show. Not here: when their files are read again (tls.server_contexts)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.field_types import PrivateFile, ReadableFile, option
from config.reader import ConfigIssue
from tls.listening import ServerCertificate


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOptions:
    """A certificate that each listener under TLS shows to clients that ask for one of its names. Repeat the table.

    A listener without a certificate of its own shows the first to all others. Two of the same names, one with an ECDSA
    and one with an RSA key, are offered together.
    """

    certificate_file: ReadableFile = option(
        "The certificate with its chain, PEM. A new file is taken up by itself.", example="sms.example.net.pem"
    )
    key_file: PrivateFile = option("The certificate's private key, PEM.", example="sms.example.net.key")

    @property
    def certificate(self) -> ServerCertificate:
        """Return its files."""
        return ServerCertificate(certificate_file=self.certificate_file, key_file=self.key_file)


def own_certificate(certificate_file: Path | None, key_file: Path | None) -> tuple[ServerCertificate, ...]:
    """Return the certificate of a listener's own, as its only one; none where it has none."""
    if certificate_file is None or key_file is None:
        return ()
    return (ServerCertificate(certificate_file=certificate_file, key_file=key_file),)


def one_without_the_other(certificate_file: Path | None, key_file: Path | None) -> Iterator[ConfigIssue]:
    """Yield: a certificate without its key, a key without its certificate."""
    if (certificate_file is None) != (key_file is None):
        given = "key_file" if certificate_file is None else "certificate_file"
        yield ConfigIssue(given, "expected certificate_file and key_file together, or neither")
