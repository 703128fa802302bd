"""How pushes go out: the operator's half. Where they go is each customer's setting push_url, and its actions' URLs.

Not here: what a push says and how it is signed (docs/push.md, web.push).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from config.certificates import one_without_the_other
from config.field_types import FieldType, IpAddress, Positive, PrivateFile, ReadableFile, ShortText, Wait, option
from config.reader import ConfigIssue
from inbound.actions import PushLogin
from sms.setting_texts import parse_push_url


def _parse_network(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - the reader turns ValueError alone into a message
    return str(ip_network(value))


def _parse_url(value: object) -> str:
    if not isinstance(value, str) or "?" in value:
        raise ValueError
    return parse_push_url(value)


PushUrl = Annotated[str, FieldType('a URL such as "https://app.example.com/sms", without a query', _parse_url)]
Network = Annotated[str, FieldType('a network such as "10.20.0.0/16" or "2001:db8::/32"', _parse_network)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushAllowance:
    """Where the pushes of one customer may go besides public addresses under TLS. Repeat the table for more of them."""

    customer: ShortText = option("The customer's name.", example="Example Ltd")
    networks: tuple[Network, ...] = option(
        "Addresses that its pushes may go to though they are not public, and over plain http.",
        example=("10.20.0.0/16",),
    )
    source_address: IpAddress | None = option(
        "The address of this machine from which they are called, such as that of a VPN.",
        default=None,
        example="10.20.0.1",
    )
    ca_file: ReadableFile | None = option(
        "The authorities of the certificates there, PEM, in place of those of [push].",
        default=None,
        example="example-ltd-ca.pem",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PushLoginOptions:
    """How the pushes of one customer log in to an application. Repeat the table for more of them."""

    customer: ShortText = option("The customer's name.", example="Example Ltd")
    url: PushUrl = option(
        "For pushes to this URL and to those below it; the longest that fits counts.",
        example="https://app.example.com/sms",
    )
    login: PushLogin = option(
        "basic and digest: user and password. bearer: a token. none: a certificate alone.",
        default=PushLogin.NONE,
        example="bearer",
    )
    user: str = option("The user of basic and digest.", default="", example="gateway")
    password_file: PrivateFile | None = option(
        "Holds the password, or the token of a bearer.", default=None, example="example-ltd.token"
    )
    certificate_file: ReadableFile | None = option(
        "The certificate that we show there, with its chain, PEM.", default=None, example="pushes.pem"
    )
    key_file: PrivateFile | None = option("The certificate's private key, PEM.", default=None, example="pushes.key")

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: half a login, half a certificate, neither of both."""
        yield from one_without_the_other(self.certificate_file, self.key_file)
        with_user = self.login in {PushLogin.BASIC, PushLogin.DIGEST}
        if (self.login is not PushLogin.NONE) != (self.password_file is not None):
            yield ConfigIssue("password_file", "expected with a login, and only with one")
        if with_user != bool(self.user) or ":" in self.user:
            yield ConfigIssue("user", "expected with basic and digest alone, and without colon")
        if self.login is PushLogin.NONE and self.certificate_file is None:
            yield ConfigIssue("login", "expected basic, digest, bearer, or a certificate_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """The pushes that we send to customers' applications: what became of a job, and inbound SMS.

    They go to public addresses under TLS, so that no customer's URL leads into our own network.
    """

    ca_file: ReadableFile | None = option(
        "The authorities of the applications' certificates, PEM; where missing, those of the system.",
        default=None,
        example="applications-ca.pem",
    )
    timeout: Wait = option("How long one attempt may take in all.", default=timedelta(seconds=15))
    connections: Positive = option("Pushes on their way at a time, half of them to one host.", default=50)
    allowances: tuple[PushAllowance, ...] = option("", default=(), key="allow")
    logins: tuple[PushLoginOptions, ...] = option("", default=(), key="login")
