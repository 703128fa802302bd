"""The mail half of the operator's file: how status mails are sent, where to, how safely, and who signs them.

Not here: what a TLS level demands (tls.policy) and how a mail is delivered (mta.sending.deliver).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from config.certificates import one_without_the_other
from config.field_types import (
    CipherList,
    DnsServer,
    Domain,
    DomainPattern,
    FieldType,
    Folder,
    HostName,
    IpAddress,
    MailAddress,
    Port,
    Positive,
    PrivateFile,
    ReadableFile,
    ShortText,
    Wait,
    option,
    text_like,
)
from config.reader import ConfigIssue, twice
from tls.policy import Pin, PolicyFault, TlsLevel, TlsPolicy, TlsVersion, find_faults, parse_pin


def _parse_pin(value: object) -> Pin:
    pin = parse_pin(value) if isinstance(value, str) else None
    if pin is None:
        raise ValueError
    return pin


PinText = Annotated[Pin, FieldType('"spki:HEX" or "cert:HEX", the 64 digits of a SHA-256', _parse_pin)]
Selector = Annotated[str, text_like(r"[A-Za-z0-9_.-]{1,63}", 'a selector such as "mail1"')]


POLICY_FAULTS: Final[Mapping[PolicyFault, str]] = {
    PolicyFault.PINS_MISSING: "level fingerprint needs at least one pin such as spki:<sha256 in hex>",
    PolicyFault.CA_FILE_MISSING: "level private-ca needs a CA file",
    PolicyFault.PINS_OF_ANOTHER_LEVEL: "pins belong to level fingerprint, not to {level}",
    PolicyFault.CA_FILE_OF_ANOTHER_LEVEL: "a CA file belongs to level private-ca, not to {level}",
    PolicyFault.REQUIRETLS_WITHOUT_TLS: "require_tls needs TLS, and level {level} has none",
    PolicyFault.BAD_HOST_NAME: "{name!r} is no host name",
}
"""What makes a TLS policy unusable, as the operator's file and the command line say it."""

_DEFAULT_RETRY = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240))


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRoute:
    """Where mail for a domain goes instead of to its MX. Repeat the table for more of them."""

    domain: DomainPattern = option("The recipients' domain. The most exact match wins.", example="*")
    host: HostName = option("The mail server.", example="relay.example.net")
    port: Port = option("Its port.", default=25)
    tls: TlsLevel | None = option(
        "The least that the connection must be; the domain's own demand may ask for more.",
        default=None,
        example="verify",
    )
    implicit_tls: bool = option("TLS from the first octet, as on port 465.", default=False)
    user: ShortText = option("Log in as this user, under TLS only.", default="", example="gateway")
    password_file: PrivateFile | None = option("Holds that user's password.", default=None, example="relay.password")
    certificate_file: ReadableFile | None = option("Our certificate for it, PEM.", default=None, example="client.pem")
    key_file: PrivateFile | None = option("Our certificate's private key, PEM.", default=None, example="client.key")
    source_address: IpAddress | None = option("Our own address towards it.", default=None, example="192.0.2.25")

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: a login without password or without TLS, a key without its certificate."""
        if bool(self.user) != (self.password_file is not None):
            yield ConfigIssue("user", "expected user and password_file together, or neither")
        if self.user and not self.implicit_tls and (self.tls is None or not self.tls.enforced):
            yield ConfigIssue("tls", 'expected "encrypt" or more: a password never goes out in clear')
        if self.tls in {TlsLevel.FINGERPRINT, TlsLevel.PRIVATE_CA}:
            yield ConfigIssue("tls", f'"{self.tls}" needs more than a level: say it in a [[mail.tls]] for the domain')
        yield from one_without_the_other(self.certificate_file, self.key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTls:
    """How safe the connection for a recipient's domain must be. Repeat the table for more of them."""

    domain: DomainPattern = option(
        'The recipients\' domain; "*" for all others. The most exact match wins.', example="example.org"
    )
    level: TlsLevel = option(
        "none: no TLS. may: as the other side offers. encrypt: never in clear. dane: as the domain's TLSA records say, "
        "at least encrypt. mta-sts: as the domain's policy says, which must enforce. "
        "verify: a certificate for the MX. secure: a certificate for one of the names. "
        "dane-only: DANE or nothing. private-ca: signed by ca_file. fingerprint: one of the pins. Where it can't be "
        "had the mail waits; it is never sent with less.",
        example="verify",
    )
    names: tuple[DomainPattern, ...] = option(
        "For secure and private-ca: names that the certificate may be for. Empty: the domain and those below it.",
        default=(),
        example=["mx.example.org"],
    )
    pins: tuple[PinText, ...] = option(
        "For fingerprint: SHA-256 of the certificate or of its public key; several while one is being replaced.",
        default=(),
        example=["spki:" + 32 * "0f"],
    )
    ca_file: ReadableFile | None = option(
        "For private-ca: the only authorities that count, PEM.", default=None, example="private-ca.pem"
    )
    minimum_version: TlsVersion = option("The oldest version of TLS that is taken.", default=TlsVersion.TLS_1_2)
    ciphers: CipherList = option(
        "For TLS 1.2, as OpenSSL lists them. Empty: forward secrecy and AEAD only (RFC 9325 §4.2).",
        default="",
        example="ECDHE+AESGCM",
    )
    require_tls: bool = option(
        "Only to servers that prove who they are and offer REQUIRETLS (RFC 8689), which then ask the same of the next.",
        default=False,
    )

    @property
    def policy(self) -> TlsPolicy:
        """The same as the policy table takes it."""
        return TlsPolicy(
            level=self.level,
            names=self.names,
            pins=self.pins,
            ca_file=str(self.ca_file or ""),
            minimum_version=self.minimum_version,
            ciphers=self.ciphers,
            require_tls=self.require_tls,
        )

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield what tls.policy finds wrong."""
        for fault, name in find_faults(self.policy):
            yield ConfigIssue("level", POLICY_FAULTS[fault].format(level=self.level, name=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A key that signs mail from a domain (RFC 6376, RFC 8463). Repeat the table: mail is signed with every key."""

    domain: Domain = option("The domain of the From address.", example="sms.example.net")
    selector: Selector = option("The record is at SELECTOR._domainkey.DOMAIN.", example="mail1")
    key_file: PrivateFile = option("The private key, PEM: RSA or Ed25519.", example="mail1.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """The mails that we send: status mails to those who sent SMS."""

    from_name: ShortText = option("Whom status mails come from.", default="SMS gateway")
    from_address: MailAddress | None = option(
        "Their address; where missing, sms@ the first of our domains.", default=None, example="sms@sms.example.net"
    )
    admin_address: MailAddress | None = option(
        "Who is told by mail when mail waits for want of TLS, is given up, or a customer's template fails. Where "
        "missing, the log alone says so.",
        default=None,
        example="postmaster@example.net",
    )
    postmaster: MailAddress | None = option(
        "Who gets the mail to postmaster@ and abuse@ our domains, which anybody may write to (RFC 5321 §4.5.1, RFC "
        "2142). An address of another domain; where missing, admin_address.",
        default=None,
        example="ops@example.net",
    )
    helo: Domain | None = option(
        "How we greet other servers; where missing, server.hostname.", default=None, example="gateway.example.net"
    )
    sandbox: Folder | None = option(
        "Keep the mails in this folder, one .eml file each, and send none.", default=None, example="mailbox"
    )
    source_address: IpAddress | None = option(
        "Our own address towards other servers.", default=None, example="192.0.2.25"
    )
    port: Port = option("The port of MX hosts.", default=25)
    allow_reject: bool = option(
        "Whether a mail is refused for characters that GSM-7 lacks where unencodable is reject. Off, that is read as "
        "smart for mails: whoever writes one can do little about them; it counts for applications.",
        default=False,
    )
    resolvers: tuple[DnsServer, ...] = option(
        "Addresses of DNS servers, each with its port where that is not 53; empty: those of the system.",
        default=(),
        example=["127.0.0.1", "127.0.0.2:5353"],
    )
    resolvers_validate: bool = option(
        "Whether the named resolvers validate DNSSEC, so that DANE can be had. Believed of loopback addresses only.",
        default=False,
    )
    private_hosts: bool = option("Whether an MX may point to a loopback or private address.", default=False)
    connections: Positive = option("Mails on their way at a time.", default=20)
    connect_timeout: Wait = option("How long a connection may take to open.", default=timedelta(seconds=30))
    command_timeout: Wait = option("How long an answer may take (RFC 5321 §4.5.3.2).", default=timedelta(minutes=5))
    retry_after: tuple[timedelta, ...] = option(
        "The waits between attempts; the last one repeats.", default=_DEFAULT_RETRY
    )
    expire_after: Wait = option("After which a mail that can't be delivered is given up.", default=timedelta(days=2))
    delay_after: timedelta = option(
        'After which (10 s or more) the sender of an SMS that is still on its way is told so, once; "0s": never.',
        default=timedelta(hours=4),
    )
    tls_reports: bool = option(
        "Whether domains that ask for it are told once a day how TLS with their servers went (RFC 8460); only where "
        "a [[mail.dkim]] signs our mails.",
        default=True,
    )
    routes: tuple[MailRoute, ...] = option("", default=(), key="route")
    tls_policies: tuple[MailTls, ...] = option("", default=(), key="tls")
    dkim_keys: tuple[DkimKey, ...] = option("", default=(), key="dkim")

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: no wait between attempts, two rules for one domain."""
        if not self.retry_after or min(self.retry_after) < timedelta(seconds=1):
            yield ConfigIssue("retry_after", 'expected at least one wait, each "1s" or more')
        elif self.expire_after <= self.retry_after[0]:
            yield ConfigIssue(
                "expire_after", "no more than the first of retry_after: nothing is tried twice", warning=True
            )
        if self.sandbox is not None and self.routes:
            yield ConfigIssue(
                "sandbox", "mails are kept here and none is sent: [[mail.route]] does nothing", warning=True
            )
        yield from twice("route", "domain", [route.domain for route in self.routes])
        yield from twice("tls", "domain", [rule.domain for rule in self.tls_policies])
        yield from twice("dkim", "selector", [f"{key.selector}._domainkey.{key.domain}" for key in self.dkim_keys])
