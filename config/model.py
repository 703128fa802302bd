"""The operator's file: every option, typed and documented at its field, and `load_config`.

The example file is generated from these types (config.example), so a field's doc is its documentation. Not here: how
text becomes these values (config.reader), [server] (config.server), and the customers' settings (sms.settings), of
which [settings] holds only the system layer. Secrets stand in files of their own: options named `…_file`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from config.acme import AcmeOptions
from config.alerts import AlertOptions
from config.carriers import CarrierOptions, find_conflicts
from config.certificates import CertificateOptions, one_without_the_other, own_certificate
from config.contracts import ContractOptions
from config.countries import CountryOptions, RuleFile
from config.field_types import (
    Count,
    HostPort,
    Listen,
    Name,
    Network,
    Positive,
    PrivateFile,
    ReadableFile,
    Size,
    TableType,
    Wait,
    option,
    whole_number,
)
from config.http import LOCAL_HTTP, HttpOptions, HttpService
from config.lines import KeyPath, line_of
from config.mail import MailOptions
from config.portal import PortalOptions
from config.push import PushOptions
from config.reader import ConfigIssue, ConfigProblem, read_toml, twice, unknown_key
from config.server import ServerOptions
from config.smpp_server import SmppServerOptions
from countries.book import OperatorRule
from sms.setting_texts import is_loopback
from sms.settings import FIELDS, SettingProblem, SettingsPatch, format_setting, parse_setting
from tls.listening import CertificateRequest, ListenerTls, TlsMode


class AuthMode(StrEnum):
    """Whether clients may or must log in."""

    OFF = "off"
    OFFER = "offer"
    REQUIRE = "require"


class MailService(StrEnum):
    """Of which service mails are."""

    MAIL = "mail"
    SAP = "sap"


class BareNewlines(StrEnum):
    """What happens to a CR or LF that stands alone in a mail (RFC 5321 §2.3.8)."""

    REFUSE = "refuse"
    NORMALISE = "normalise"


class LogFormat(StrEnum):
    """Log lines for eyes or for machines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _read_settings(table: Mapping[str, object]) -> tuple[SettingsPatch, Sequence[tuple[str, str]]]:
    """Read the system layer: any field of sms.settings, as text, number, true or false, or a list of texts."""
    patch: dict[str, object] = {}
    wrong: list[tuple[str, str]] = []
    for key, value in table.items():
        if key not in FIELDS:
            wrong.append((key, unknown_key(key, list(FIELDS))))
            continue
        text = format_setting(tuple(value) if isinstance(value, list) else value)
        parsed = parse_setting(key, text)
        if isinstance(parsed, SettingProblem):
            wrong.append((key, f"expected {parsed.expected}, got {parsed.given!r}"))
        else:
            patch[key] = parsed
    return patch, wrong


SystemSettings = Annotated[SettingsPatch, TableType(_read_settings)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTimeouts:
    """How long a client may take (RFC 5321 §4.5.3.2 has the least that a server should grant)."""

    command: Wait = option("Until the next command.", default=timedelta(minutes=5))
    data_block: Wait = option("Until the next octets of a mail.", default=timedelta(minutes=3))
    data: Wait = option("For a whole mail, however it trickles in.", default=timedelta(minutes=30))
    handshake: Wait = option("For a TLS handshake.", default=timedelta(seconds=30))
    session: Wait = option("For a whole connection.", default=timedelta(hours=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprovenOptions:
    """What one client may do that has proven nothing: an address, or the /64 of IPv6; 0: any number.

    Twice as many may come from the /56 around it, four times as many from the /48. Who logs in, shows a certificate or
    comes from a customer's address range is bounded by [limits] instead; a mail proven by its domain does not count.
    """

    connections_per_minute: Count = option("Connections that end without a proof.", default=300)
    recipients_per_minute: Count = option("Recipients, taken or not.", default=3000)
    mails_per_minute: Count = option("Mails that prove nothing.", default=100)
    max_recipients: Count = option("Recipients of one mail; its client sends the rest as another one.", default=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerOptions:
    """An address on which mail is taken. Repeat the table for more of them."""

    name: Name = option("What the log calls it.", example="submission")
    address: Listen = option("Where it listens.", example="127.0.0.1:2525")
    proxy_from: tuple[Network, ...] = option(
        "The proxies (HAProxy, nginx) that name their client by the PROXY protocol, version 1 or 2, and always do. "
        "Ranges, limits and the log then know that client. It is not read from any other address.",
        default=(),
        example=["10.0.0.0/8"],
    )
    tls: TlsMode = option(
        "off, offer (STARTTLS at will), require (STARTTLS before anything else), implicit (TLS at once).",
        default=TlsMode.OFF,
    )
    certificate_file: ReadableFile | None = option(
        "The certificate with its chain, PEM, shown to who asks for the name of no [[certificate]]; where missing, the "
        "first of those. A new file is taken up by itself.",
        default=None,
        example="gateway.pem",
    )
    key_file: PrivateFile | None = option("The certificate's private key, PEM.", default=None, example="gateway.key")
    auth: AuthMode = option("Whether clients may or must log in. Only ever under TLS.", default=AuthMode.OFFER)
    auth_in_clear: bool = option("Logins also without TLS: on loopback addresses only.", default=False)
    domain_proof: bool = option(
        "Whether a mail that neither a login, a certificate nor an address proves may be proven by the domain of its "
        "From: DKIM, SPF, or a sealer that the customer trusts. Never where auth is require.",
        default=True,
    )
    client_certificate: CertificateRequest = option(
        "Whether a client is asked for a certificate of its own.", default=CertificateRequest.NONE
    )
    client_ca_file: ReadableFile | None = option(
        "The authorities that sign the certificates of clients, or these certificates themselves, PEM.",
        default=None,
        example="clients-ca.pem",
    )
    service: MailService | None = option(
        "Of which service all mails are that come in here, whoever sends them; else login, range or mail say it.",
        default=None,
        example="sap",
    )
    max_size: Size = option("The largest mail, in octets.", default=10 << 20)
    max_recipients: Positive = option("Recipients of one mail.", default=3000)
    max_connections: Positive = option("Connections at a time.", default=1000)
    max_connections_per_client: Positive = option("Connections at a time from one address.", default=50)
    max_line_length: Annotated[int, whole_number(998)] = option(
        "The longest line of a mail, in octets without its end.", default=8192
    )
    max_errors: Positive = option("Wrong commands before the connection is closed.", default=20)
    max_commands: Positive = option("Commands without a mail that is taken, before it is closed.", default=10_000)
    max_idle_commands: Positive = option(
        "Commands that advance no mail (NOOP, RSET, VRFY, EHLO), before it is closed.", default=100
    )
    min_data_rate: Count = option("Octets per second that a mail must keep up on average; 0: any.", default=100)
    bare_newlines: BareNewlines = option(
        "What a CR or LF of its own in a mail comes to: «normalise» only for clients that you know.",
        default=BareNewlines.REFUSE,
    )
    bare_addresses: bool = option(
        "MAIL and RCPT also without angle brackets, as old devices write them: MAIL FROM:a@example.com; HELO also "
        "without a name.",
        default=False,
    )
    timeouts: ListenerTimeouts = option("", default=ListenerTimeouts)
    unproven: UnprovenOptions = option("", default=UnprovenOptions)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.address.host)

    @property
    def asked_tls(self) -> ListenerTls | None:
        """What it asks of TLS, None where it speaks none."""
        if self.tls is TlsMode.OFF:
            return None
        return ListenerTls(
            certificates=own_certificate(self.certificate_file, self.key_file),
            client_certificate=self.client_certificate,
            client_ca_file=self.client_ca_file,
        )

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: half a certificate, logins or client certificates without TLS."""
        with_tls = self.tls is not TlsMode.OFF
        yield from one_without_the_other(self.certificate_file, self.key_file)
        if self.max_commands <= self.max_recipients:
            yield ConfigIssue("max_commands", f"expected more than max_recipients, {self.max_recipients}")
        if self.auth_in_clear and not self.is_loopback:
            yield ConfigIssue("auth_in_clear", "expected false: passwords in clear stay on a loopback address")
        if self.auth_in_clear and self.proxy_from:
            yield ConfigIssue("auth_in_clear", "expected false with proxy_from: its clients are on other machines")
        if self.auth is AuthMode.REQUIRE and not with_tls and not self.auth_in_clear:
            yield ConfigIssue("auth", '"require" needs tls = "offer", "require" or "implicit": nobody could log in')
        if self.client_certificate is not CertificateRequest.NONE:
            if not with_tls:
                yield ConfigIssue("client_certificate", 'expected "none" where tls is "off"')
            if self.client_ca_file is None:
                yield ConfigIssue("client_certificate", f'"{self.client_certificate}" needs client_ca_file')


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What is written to standard error. Never the text of a message, never a secret."""

    format: LogFormat = option("console: for eyes. json: for machines.", default=LogFormat.CONSOLE)
    level: LogLevel = option("The least important line.", default=LogLevel.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """What protects this machine."""

    argon2_workers: Positive = option("Passwords proven at a time; each takes about 64 MB.", default=2)
    content_memory: Size = option(
        "Memory for mails being received and judged, of all connections together; beyond it clients hear 452.",
        default=256 << 20,
    )
    disk_reserve: Size = option("Free disk below which no mail is taken.", default=200 << 20)
    mails_per_minute: Count = option("Mails per minute from one customer; 0: any number.", default=0)
    recipients_per_minute: Count = option("Recipients per minute from one customer, taken or not; 0: any.", default=0)
    connections_per_minute: Count = option("Connections per minute from one customer; 0: any.", default=0)
    max_connections_per_customer: Count = option("Connections at a time from one customer; 0: any.", default=200)
    http_requests_at_once: Count = option(
        "HTTP requests of one login that are answered at a time; four times as many more wait, the others hear 429. "
        "0: any number.",
        default=20,
    )
    http_requests_per_minute: Count = option("HTTP requests per minute of one login; 0: any number.", default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The operator's file of a mail2sms gateway."""

    server: ServerOptions = option("")
    listeners: tuple[ListenerOptions, ...] = option("", key="listener")
    http: tuple[HttpOptions, ...] = option("", default=(), key="http")
    certificates: tuple[CertificateOptions, ...] = option("", default=(), key="certificate")
    smpp_servers: tuple[SmppServerOptions, ...] = option("", default=(), key="smpp_server")
    acme: AcmeOptions = option("", default=AcmeOptions)
    carriers: tuple[CarrierOptions, ...] = option("", key="carrier")
    mail: MailOptions = option("", default=MailOptions)
    push: PushOptions = option("", default=PushOptions)
    alerts: AlertOptions = option("", default=AlertOptions)
    portal: PortalOptions = option("", default=PortalOptions)
    contracts: ContractOptions = option("", default=ContractOptions)
    countries: CountryOptions = option("", default=CountryOptions)
    log: LogOptions = option("", default=LogOptions)
    limits: LimitOptions = option("", default=LimitOptions)
    settings: SystemSettings = option(
        "The weakest layer of settings, below those of customers, profiles and users. "
        "«mail2sms customer set» knows the same names.",
        default=dict,
    )
    rulings: tuple[OperatorRule, ...] = field(default=(), metadata={"hidden": True})
    warnings: tuple[ConfigProblem, ...] = field(default=(), metadata={"hidden": True})
    file: Path = field(default=Path(), metadata={"hidden": True})

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: names and addresses that stand twice, tables without which nothing works."""
        if not self.listeners:
            yield ConfigIssue("listener", "expected at least one [[listener]]")
        if not self.carriers:
            yield ConfigIssue("carrier", "expected at least one [[carrier]]")
        yield from twice("listener", "name", [listener.name for listener in self.listeners])
        yield from twice("listener", "address", [str(listener.address) for listener in self.listeners])
        yield from twice("http", "name", [one.name for one in self.http])
        yield from twice("http", "address", [str(one.address) for one in self.http])
        for table, at, one in self.doors() if not (self.certificates or self.acme.domains) else ():
            if one.asked_tls is not None and not one.asked_tls.certificates:
                text = "TLS needs a certificate: certificate_file and key_file here, or a [[certificate]], or [acme]"
                yield ConfigIssue((table, at, "tls"), text)
        yield from twice("smpp_server", "name", [one.name for one in self.smpp_servers])
        yield from twice("smpp_server", "address", [str(one.address) for one in self.smpp_servers])
        if self.acme.domains and not any(HttpService.ACME in one.serves for one in self.http):
            text = 'expected an [[http]] that serves "acme": the authority asks there, at port 80 of each domain'
            yield ConfigIssue(("acme", "domains"), text)
        yield from twice("carrier", "name", [carrier.name for carrier in self.carriers])
        yield from find_conflicts(self.carriers)
        largest = max((listener.max_size for listener in self.listeners), default=0)
        if largest > self.limits.content_memory:
            text = f"expected at least the largest max_size of a listener, {largest}"
            yield ConfigIssue(("limits", "content_memory"), text)
        if self.mail.postmaster is not None and not self.postmaster:
            yield ConfigIssue(("mail", "postmaster"), "expected an address of another domain: this one leads back here")

    def doors(self) -> Iterator[tuple[str, int, ListenerOptions | HttpOptions | SmppServerOptions]]:
        """Yield whatever listens, with its table and its place among those."""
        yield from (("listener", at, one) for at, one in enumerate(self.listeners))
        yield from (("http", at, one) for at, one in enumerate(self.http))
        yield from (("smpp_server", at, one) for at, one in enumerate(self.smpp_servers))

    @property
    def http_listeners(self) -> Sequence[HttpOptions]:
        """Where HTTP is served: as the file says, else to this machine alone."""
        server = self.server
        return self.http or ((LOCAL_HTTP,) if server.local_http else ())

    @property
    def portal_address(self) -> str:
        """Where people reach the portal, without a slash at the end; empty where no listener serves it."""
        if self.portal.address is not None:
            return self.portal.address
        found = next((item for item in self.http_listeners if HttpService.PORTAL in item.serves), None)
        if found is None:
            return ""
        scheme, usual = ("https", 443) if found.tls else ("http", 80)
        host = next(iter(found.host_names), found.address.host)
        return (
            f"{scheme}://{host}" if found.address.port == usual else f"{scheme}://{HostPort(host, found.address.port)}"
        )

    @property
    def acme_file(self) -> Path | None:
        """Where the certificate of [acme] stands with its key, None where none is asked for."""
        return self.server.data_dir / "acme" / "certificate.pem" if self.acme.domains else None

    @property
    def mail_from(self) -> str:
        """The address that status mails come from."""
        return self.mail.from_address or f"sms@{self.server.domains[0]}"

    @property
    def number_domain(self) -> str:
        """The domain of addresses that stand for numbers: that of our mails where it is ours, else our first one."""
        domain = self.mail_from.rpartition("@")[2].lower()
        return domain if domain in self.server.domains else self.server.domains[0]

    @property
    def postmaster(self) -> str:
        """Who gets mail to the postmaster; empty where nobody is named, or only an address that leads back here."""
        address = self.mail.postmaster or self.mail.admin_address or ""
        return "" if address.rpartition("@")[2].lower() in self.server.domains else address


def load_config(path: Path) -> Config | list[ConfigProblem]:
    """Return what the operator's file says, or everything that is wrong with it (never an empty list).

    Warnings come with the config in `Config.warnings`; where there are errors, they come among them.
    """
    found = read_toml(path)
    if isinstance(found, ConfigProblem):
        return [found]
    reader, table = found
    config = reader.read(Config, table)
    problems = sorted(reader.problems, key=lambda problem: problem.line)
    rulings: tuple[OperatorRule, ...] = ()
    if config is not None and config.countries.rules_file is not None:
        rulings, wrong = _read_rulings(config.countries.rules_file, config)
        problems += wrong
    if config is None or not all(problem.warning for problem in problems):
        return problems
    return replace(config, rulings=rulings, warnings=tuple(problems), file=reader.file)


def _read_rulings(file: Path, config: Config) -> tuple[tuple[OperatorRule, ...], list[ConfigProblem]]:
    """Return what the operator decides of countries, and everything that is wrong with the file."""
    found = read_toml(file)
    if isinstance(found, ConfigProblem):
        return (), [found]
    reader, table = found
    read = reader.read(RuleFile, table)
    rules = read.rules if read is not None else ()
    carriers = [carrier.name for carrier in config.carriers]
    for index, rule in enumerate(rules):
        if rule.carrier is not None and rule.carrier not in carriers:
            reader.tell(("rule", index, "carrier"), unknown_key(rule.carrier, carriers))
    rulings = tuple(
        rule.ruling(f"{reader.file.name}, line {line_of(reader.lines, ('rule', index))}")
        for index, rule in enumerate(rules)
    )
    return rulings, sorted(reader.problems, key=lambda problem: problem.line)


def line_of_table(file: Path, where: str) -> int:
    """Return the line of a table as people name it, such as `[[listener]] mx` or `[server] data_dir`; else 1."""
    table, _, name = where.partition(" ")
    found = read_toml(file)
    if isinstance(found, ConfigProblem):
        return 1
    reader, tables = found
    path: KeyPath = tuple(table.strip("[]").split("."))
    inner: object = tables
    for step in path:
        inner = inner.get(step) if isinstance(inner, dict) else None
    if isinstance(inner, list):
        names = [item.get("name", item.get("domain")) if isinstance(item, dict) else None for item in inner]
        return line_of(reader.lines, (*path, names.index(name))) if name in names else 1
    return line_of(reader.lines, (*path, name))
