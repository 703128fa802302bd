"""Where HTTP is spoken, and what is served there. Not here: pushes, which go out (push), the server itself (web)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from config.certificates import one_without_the_other, own_certificate
from config.field_types import (
    Domain,
    HostPort,
    Listen,
    Name,
    Network,
    Positive,
    PrivateFile,
    ReadableFile,
    option,
)
from config.reader import ConfigIssue
from sms.setting_texts import is_loopback
from tls.listening import ListenerTls


class HttpService(StrEnum):
    """What one HTTP listener serves."""

    ACME = "acme"
    API = "api"
    OPERATOR = "operator"
    PORTAL = "portal"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """An address at which HTTP is served. Repeat the table for more of them."""

    name: Name = option("What the log calls it.", example="operator")
    address: Listen = option("Where it listens.", example="127.0.0.1:8080")
    proxy_from: tuple[Network, ...] = option(
        "The proxies that name their client by the PROXY protocol, and always do.",
        default=(),
        example=["10.0.0.0/8"],
    )
    forwarded_from: tuple[Network, ...] = option(
        "The proxies whose X-Forwarded-For and X-Forwarded-Proto, or Forwarded, say who their client is; "
        "from all others these headers count for nothing.",
        default=(),
        example=["10.0.0.0/8"],
    )
    serves: tuple[HttpService, ...] = option(
        "api: what applications send and ask. operator: /health says that the process lives, /ready whether it takes "
        "mail, and what needs a hand, as JSON. portal: pages for people, who sign in. acme: what an authority asks "
        "before it gives the certificate of [acme].",
        example=("api", "operator"),
    )
    host_names: tuple[Domain, ...] = option(
        "The names under which it answers, besides its address and [server] hostname; under any other: 421.",
        default=(),
        example=("sms.example.net",),
    )
    tls: bool = option("Whether it speaks HTTPS.", default=False)
    certificate_file: ReadableFile | None = option(
        "Its own certificate with its chain, PEM; where missing, the first [[certificate]].",
        default=None,
        example="portal.pem",
    )
    key_file: PrivateFile | None = option("The certificate's private key, PEM.", default=None, example="portal.key")
    max_connections: Positive = option("Connections at a time.", default=500)
    max_connections_per_client: Positive = option("Connections at a time from one address.", default=50)

    @property
    def asked_tls(self) -> ListenerTls | None:
        """What it asks of TLS, None where it speaks none."""
        return ListenerTls(certificates=own_certificate(self.certificate_file, self.key_file)) if self.tls else None

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: half a certificate, nothing to serve, pages and passwords where other machines could read them."""
        yield from one_without_the_other(self.certificate_file, self.key_file)
        if HttpService.ACME in self.serves and self.tls:
            yield ConfigIssue("tls", '"acme" is asked for without TLS (RFC 8555 §8.3): give it a listener of its own')
        if not self.serves:
            yield ConfigIssue(
                "serves", 'expected "acme", "api", "operator" or "portal": a listener that serves nothing helps nobody'
            )
        if HttpService.OPERATOR in self.serves and not is_loopback(self.address.host):
            yield ConfigIssue(
                "address", '"operator" asks for no login: expected an address of this machine such as 127.0.0.1:8080'
            )
        for key, proxies in (("proxy_from", self.proxy_from), ("forwarded_from", self.forwarded_from)):
            if HttpService.OPERATOR in self.serves and proxies:
                yield ConfigIssue(key, '"operator" asks for no login: a proxy would let others read it')
        if not (self.tls or self.forwarded_from or is_loopback(self.address.host)):
            for service in (HttpService.API, HttpService.PORTAL):
                if service in self.serves:
                    said = "takes passwords: expected true, forwarded_from proxies under TLS, or a loopback address"
                    yield ConfigIssue("tls", f'"{service}" {said}')


LOCAL_HTTP: Final = HttpOptions(
    name="local",
    address=HostPort(host="127.0.0.1", port=8080),
    serves=(HttpService.API, HttpService.OPERATOR, HttpService.PORTAL),
)
"""What is served where the operator's file names no listener. Mail does not depend on its port being free."""
