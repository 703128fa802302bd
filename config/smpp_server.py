"""Where ESMEs bind: the SMPP server's doors. Not here: the links that we open to carriers (carriers)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from config.certificates import one_without_the_other, own_certificate
from config.field_types import Count, Listen, Name, Network, Positive, PrivateFile, ReadableFile, Wait, option
from config.reader import ConfigIssue
from smpp.dialect.dialect import WireAlphabet
from sms.setting_texts import is_loopback
from tls.listening import ListenerTls

_AS_DATA_CODING_0 = frozenset({WireAlphabet.GSM7, WireAlphabet.LATIN1, WireAlphabet.WINDOWS_1252, WireAlphabet.ASCII})


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppServerOptions:
    """An address at which ESMEs bind, with logins of their customers. Repeat the table for more of them."""

    name: Name = option("What the log calls it.", example="smpp")
    address: Listen = option("Where it listens: 2775 is usual, 8775 under TLS.", example="127.0.0.1:2775")
    proxy_from: tuple[Network, ...] = option(
        "The proxies that name their client by the PROXY protocol, and always do.",
        default=(),
        example=["10.0.0.0/8"],
    )
    tls: bool = option("Whether TLS begins with the connection.", default=False)
    certificate_file: ReadableFile | None = option(
        "Its own certificate with its chain, PEM; where missing, the first [[certificate]].",
        default=None,
        example="gateway.pem",
    )
    key_file: PrivateFile | None = option("The certificate's private key, PEM.", default=None, example="gateway.key")
    in_clear: bool = option("Whether passwords and texts may come in clear from other machines.", default=False)
    default_alphabet: WireAlphabet = option(
        "What data_coding 0 means: gsm7, latin-1, windows-1252 or ascii.", default=WireAlphabet.GSM7
    )
    max_connections: Positive = option("Connections at a time.", default=500)
    max_connections_per_client: Positive = option("Connections at a time from one address.", default=50)
    binds_per_login: Positive = option("Binds of one login here at a time.", default=10)
    sms_per_second: Count = option(
        "SMS per second of one login over all its binds here; 0: any number. Answers are delayed for up to a second, "
        "then ESME_RTHROTTLED.",
        default=0,
    )
    window: Positive = option("Receipts and inbound SMS on their way to one bind that it has not answered.", default=50)
    enquire_link: Wait = option(
        "After so long without a word an ESME is asked whether it lives.", default=timedelta(seconds=30)
    )
    answer_timeout: Wait = option(
        "How long an ESME may take for an answer. One that does not answer enquire_link is dropped.",
        default=timedelta(seconds=30),
    )
    bind_timeout: Wait = option("How long a new connection may take to bind.", default=timedelta(seconds=30))

    @property
    def asked_tls(self) -> ListenerTls | None:
        """What it asks of TLS, None where it speaks none."""
        return ListenerTls(certificates=own_certificate(self.certificate_file, self.key_file)) if self.tls else None

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: half a certificate, passwords in clear from elsewhere, an alphabet that data_coding 0 can't mean."""
        yield from one_without_the_other(self.certificate_file, self.key_file)
        if not self.tls and not self.in_clear and not is_loopback(self.address.host):
            yield ConfigIssue("tls", "expected true, or in_clear = true: passwords would go in clear")
        if self.default_alphabet not in _AS_DATA_CODING_0:
            yield ConfigIssue("default_alphabet", "expected gsm7, latin-1, windows-1252 or ascii")
