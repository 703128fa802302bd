"""The carrier half of the operator's file: the ways to the handsets.

Not here: what a dialect means on the wire (smpp.dialect.dialect) and who takes which number (gateway.routing).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from config.certificates import one_without_the_other
from config.countries import Network
from config.dialects import check_dialect, check_name
from config.field_types import (
    Centre,
    CipherList,
    Count,
    FieldType,
    HostName,
    HostPort,
    Listen,
    Name,
    Port,
    Positive,
    PrivateFile,
    ReadableFile,
    ShortText,
    Wait,
    option,
    read_secret,
    text_like,
)
from config.reader import ConfigIssue
from smpp.dialect.binds import BindMode
from smpp.dialect.dialect import Dialect, InterfaceVersion, LongMessages, SubmitWith
from sms.route import Failover
from sms.schedule import Hours
from tls.policy import TlsVersion


class CarrierKind(StrEnum):
    """What stands at the other end: a real message centre, or the one that we play ourselves."""

    SMPP = "smpp"
    SANDBOX = "sandbox"


class CarrierTls(StrEnum):
    """Whether the link to a carrier is encrypted; never «if possible»."""

    OFF = "off"
    REQUIRE = "require"


class OnUnknown(StrEnum):
    """What becomes of a part whose answer was lost: reported so, or sent again at the risk that it comes twice."""

    HOLD = "hold"
    RESEND = "resend"


def _parse_hours(value: object) -> Hours:
    match = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    try:
        zone = ZoneInfo(match[3] or "UTC").key
    except (KeyError, OSError) as error:
        raise ValueError from error
    return Hours(since=time.fromisoformat(match[1]), until=time.fromisoformat(match[2]), zone=zone)


HoursText = Annotated[Hours, FieldType('hours such as "08:00-20:00" or "08:00-20:00 Europe/Berlin"', _parse_hours)]
Prefix = Annotated[str, text_like(r"[1-9][0-9]{0,14}", 'the first digits of numbers, such as "4479"')]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the carrier behaves that we play ourselves, for a first try and for tests: it sends nothing to anybody."""

    receipt_delay: timedelta = option("After which a receipt comes.", default=timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbindOptions:
    """Where the carrier may knock to have us bind (SMPP 3.4 §4.1.7), and what it must say."""

    address: Listen = option("Where we listen for it.", example="127.0.0.1:2776")
    system_id: ShortText = option("Its name.", example="smsc")
    password_file: PrivateFile = option("Holds its password.", example="outbind.password")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierOptions:
    """A way to the handsets. Repeat the table for more of them."""

    name: Name = option("What the log, reports and bills call it.", example="sandbox")
    kind: CarrierKind = option(
        "smpp: a message centre at host and port. sandbox: one that we play, which sends nothing to anybody.",
        example="sandbox",
    )
    host: HostName | None = option("The message centre.", default=None, example="smsc.example.net")
    port: Port = option("Its port.", default=2775)
    hosts: tuple[Centre, ...] = option(
        "Instead of host: all hosts of the account, the preferred first, each with its port where that is another. The "
        "links are spread over them; one whose host does not answer goes to the next, and back once that answers.",
        default=(),
        example=["a.example.net", "b.example.net:2776"],
    )
    links: Positive = option(
        'Links of the account at the same time, with bind = "pair" of each kind. While one goes back to its host there '
        "is one more.",
        default=1,
    )
    system_id: ShortText = option("Our name there.", default="", example="acme")
    password_file: PrivateFile | None = option("Holds our password there.", default=None, example="carrier.password")
    bind: BindMode = option(
        "transceiver: one link for both ways. pair: one for each. transmitter, receiver: one way only.",
        default=BindMode.TRANSCEIVER,
    )
    tls: CarrierTls = option("Whether the link is encrypted.", default=CarrierTls.OFF)
    tls_minimum_version: TlsVersion = option(
        'The oldest version of TLS that is taken; "1.0" for a message centre whose software knows no other.',
        default=TlsVersion.TLS_1_2,
    )
    tls_ciphers: CipherList = option(
        "For TLS 1.2, as OpenSSL lists them. Empty: forward secrecy and AEAD only (RFC 9325 §4.2).",
        default="",
        example="ECDHE+AESGCM:AES128-SHA256",
    )
    ca_file: ReadableFile | None = option(
        "The authorities that it is proven by; where missing, those of the system.", default=None, example="smsc-ca.pem"
    )
    certificate_file: ReadableFile | None = option("Our certificate for it, PEM.", default=None, example="client.pem")
    key_file: PrivateFile | None = option("Our certificate's private key, PEM.", default=None, example="client.key")
    window: Positive = option("Parts on their way without an answer, on each link.", default=10)
    throughput: Count = option("Parts per second at most, over all links; 0: as fast as the windows allow.", default=0)
    on_unknown: OnUnknown = option(
        "Where an answer was lost, the carrier may have the part or not. hold: never sent again, and reported so. "
        "resend: sent again, at the risk that the phone shows it twice.",
        default=OnUnknown.HOLD,
    )
    resends: Count = option(
        'With on_unknown = "resend": how often one part is sent again at most, after 5 s, 15 s, 1 min, 3 min, … '
        "Then it is held, and reported as unknown.",
        default=2,
    )
    receipts: bool = option("Whether it gives delivery receipts.", default=True)
    cancels: bool = option("Whether it takes cancel_sm for a message that it has.", default=False)
    receipt_grace: timedelta = option(
        "How long after the end of its validity a message still waits for its receipt.", default=timedelta(hours=1)
    )
    enquire_link: Wait = option("Silence after which we ask if it is there.", default=timedelta(seconds=30))
    inactivity_timeout: timedelta = option(
        'Time without any SMS or receipt after which the link is ended and bound anew; "0s": never.',
        default=timedelta(0),
    )
    response_timeout: Wait = option("How long we wait for an answer.", default=timedelta(seconds=30))
    reconnect_min: Wait = option("The first wait before binding again.", default=timedelta(seconds=1))
    reconnect_max: Wait = option("The longest; it doubles from the first.", default=timedelta(minutes=1))
    prefixes: tuple[Prefix, ...] = option(
        "Only numbers that begin so, without +; the longest match wins. Empty: all numbers.",
        default=(),
        example=["4479"],
    )
    customers: tuple[ShortText, ...] = option(
        "Only for these customers, before the carriers that are for everybody. Empty: everybody.",
        default=(),
        example=["demo"],
    )
    networks: tuple[Network, ...] = option(
        "All networks that it delivers to, as MCC and MNC, so that rules of single networks count. Empty: any.",
        default=(),
        example=["26201"],
    )
    hours: HoursText | None = option(
        "When it is used; empty: always.", default=None, example="08:00-20:00 Europe/Berlin"
    )
    priority: Count = option(
        "Among equal matches the lowest is taken; the others take over while it fails.", default=10
    )
    failover: Failover = option(
        "Whether an SMS that it does not deliver goes by the carriers behind it, of those that take the number. "
        "refused: where it has refused the SMS for good, every part of it. undelivered: also where its receipt says "
        "so, for an SMS of one part or with one receipt for all; both carriers bill it then. Never where an answer "
        "is missing.",
        default=Failover.NONE,
    )
    cost: ShortText = option(
        "A label for what it costs: kept with each part that it is given, shown by «queue show», «route» and dry runs.",
        default="",
        example="domestic",
    )
    dialect: Dialect = option("", default=Dialect)
    outbind: OutbindOptions | None = option("", default=None)
    sandbox: SandboxOptions = option("", default=SandboxOptions)

    @property
    def centres(self) -> tuple[HostPort, ...]:
        """The hosts of the account with their ports, the preferred first."""
        hosts = self.hosts or ((HostPort(self.host, 0),) if self.host is not None else ())
        return tuple(HostPort(each.host.lower(), each.port or self.port) for each in hosts)

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: a message centre without address or login, a key without its certificate."""
        yield from _check_account(self)
        yield from one_without_the_other(self.certificate_file, self.key_file)
        if self.ca_file is not None and self.tls is CarrierTls.OFF:
            yield ConfigIssue("tls", 'expected "require" where there is a ca_file')
        if self.reconnect_max < self.reconnect_min:
            yield ConfigIssue("reconnect_max", "expected no less than reconnect_min")
        if self.hours is not None and self.hours.since == self.hours.until:
            yield ConfigIssue("hours", "expected two different times, or it is never used")
        if self.bind is BindMode.RECEIVER and (self.prefixes or self.customers or self.hours):
            yield ConfigIssue(
                "bind", '"receiver" sends nothing: prefixes, customers and hours do nothing', warning=True
            )
        yield from _check_login(self.system_id, self.password_file)
        yield from check_dialect(self.dialect)
        yield from _check_version(self)


def find_conflicts(carriers: Sequence[CarrierOptions]) -> Iterator[ConfigIssue]:
    """Yield a warning for each carrier that gets in another's way, or that no number reaches."""
    accounts: dict[tuple[HostPort, str], str] = {}
    for index, carrier in enumerate(carriers):
        if carrier.kind is not CarrierKind.SMPP:
            continue
        firsts = {accounts.setdefault((centre, carrier.system_id), carrier.name) for centre in carrier.centres}
        for first in sorted(firsts - {carrier.name}):
            text = f'the account of carrier "{first}" too: each would get the receipts of the other; one carrier with '
            yield ConfigIssue(("carrier", index, "system_id"), text + "links = 2 has two links", warning=True)
    sending = [carrier for carrier in carriers if carrier.bind is not BindMode.RECEIVER]
    if carriers and not sending:
        yield ConfigIssue("carrier", "every carrier is a receiver: no SMS can ever be sent", warning=True)
    real = [carrier for carrier in sending if carrier.kind is CarrierKind.SMPP]
    for index, carrier in enumerate(carriers):
        if carrier.kind is CarrierKind.SANDBOX and real and not carrier.customers:
            text = f'the sandbox stands beside carrier "{real[0].name}": an SMS that it takes reaches nobody'
            yield ConfigIssue(("carrier", index, "kind"), text, warning=True)
        yield from _find_unreached(index, carrier, sending)


def _find_unreached(index: int, carrier: CarrierOptions, sending: Sequence[CarrierOptions]) -> Iterator[ConfigIssue]:
    """Yield a warning for what longer prefixes of others take away from a carrier."""
    others = {prefix: other.name for other in sending if not other.customers for prefix in other.prefixes}
    for prefix in carrier.prefixes or ("",):
        longer = {other for other in others if other.startswith(prefix) and other != prefix}
        if carrier.bind is BindMode.RECEIVER or not longer:
            continue
        if _covers(prefix, longer):
            text = f'no number is left to "{prefix}": longer prefixes have them all'
            yield ConfigIssue(("carrier", index, "prefixes"), text, warning=True)
        elif carrier.customers and (foreign := sorted(longer - set(carrier.prefixes))):
            text = f'numbers that begin with {foreign[0]} go by "{others[foreign[0]]}" for these customers too: '
            yield ConfigIssue(("carrier", index, "customers"), text + "the longest prefix wins", warning=True)


def _covers(prefix: str, longer: Collection[str]) -> bool:
    """Return whether every number that begins with a prefix begins with one of the longer ones."""
    digits = "0123456789" if prefix else "123456789"  # no country code begins with 0
    return all(
        any(other == prefix + digit for other in longer)
        or (any(other.startswith(prefix + digit) for other in longer) and _covers(prefix + digit, longer))
        for digit in digits
    )


def _check_version(carrier: CarrierOptions) -> Iterator[ConfigIssue]:
    """Yield a warning for what SMPP 3.3 does not have: transceivers, data_sm, optional parameters."""
    if carrier.dialect.interface_version is not InterfaceVersion.SMPP_3_3:
        return
    if carrier.bind is BindMode.TRANSCEIVER:
        yield ConfigIssue("bind", 'SMPP 3.3 has no transceiver: expected "pair"', warning=True)
    if carrier.dialect.submit_with is SubmitWith.DATA_SM:
        yield ConfigIssue(("dialect", "submit_with"), 'SMPP 3.3 has no data_sm: expected "submit-sm"', warning=True)
    if carrier.dialect.long_messages is not LongMessages.UDH:
        text = 'SMPP 3.3 has no optional parameters: expected "udh"'
        yield ConfigIssue(("dialect", "long_messages"), text, warning=True)


def _check_account(carrier: CarrierOptions) -> Iterator[ConfigIssue]:
    if carrier.kind is CarrierKind.SMPP:
        if not carrier.centres:
            yield ConfigIssue("kind", '"smpp" needs host or hosts')
        if not carrier.system_id:
            yield ConfigIssue("kind", '"smpp" needs system_id')
        if carrier.password_file is None:
            yield ConfigIssue("kind", '"smpp" needs password_file')
    if carrier.host is not None and carrier.hosts:
        yield ConfigIssue("hosts", "expected host or hosts, not both: put the host first among the hosts")
    for index, centre in enumerate(carrier.centres):
        if centre in carrier.centres[:index]:
            yield ConfigIssue(("hosts", index), f"{centre} stands twice")


def _check_login(system_id: str, file: Path | None) -> Iterator[ConfigIssue]:
    yield from check_name("system_id", system_id, 15)
    if file is None:
        return
    try:
        password = read_secret(file)
    except (OSError, UnicodeError) as error:
        yield ConfigIssue("password_file", f"expected a text file that can be read: {error}")
    else:
        yield from check_name("password_file", password, 8, "the password")
