"""The configured destination of a domain instead of its MX: host, port, login and source address.

Pure. Not here: what TLS such a host must show beyond its own level (tls.policy), passwords (read when needed by
mta.sending.deliver). A route is exclusive: if its host cannot be reached, mail waits and never goes by MX.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tls.contexts import ClientCertificate
from tls.policy import TlsLevel, TlsPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLogin:
    """A login with user and password (mta.sending.login); the password is in its own file."""

    user: str
    password_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One configured destination.

    `domain` is a name, `.example.com` for everything below it, or `*` for all others (a smart host); `host` is used
    unchanged, with or without [brackets], and never looked up as MX. `certificate` is shown if the host asks.
    """

    domain: str
    host: str
    port: int = 25
    tls: TlsPolicy | None = None
    implicit_tls: bool = False
    login: RelayLogin | None = None
    certificate: ClientCertificate | None = None
    source_address: str = ""

    @property
    def host_name(self) -> str:
        """Return the host without brackets, in lower case."""
        return self.host.removeprefix("[").removesuffix("]").removesuffix(".").lower()

    @property
    def demanded(self) -> TlsPolicy | None:
        """Return the route's own demand, at least encrypt with a password or implicit TLS."""
        if (self.login is not None or self.implicit_tls) and (self.tls is None or not self.tls.level.enforced):
            return TlsPolicy(level=TlsLevel.ENCRYPT)
        return self.tls


class RouteTable:
    """All routes by domain; the most specific wins."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._by_domain: Mapping[str, Route] = {route.domain.lower().removeprefix("*"): route for route in routes}

    def find(self, domain: str) -> Route | None:
        """Return the route for a domain, None if it goes by MX."""
        exact = self._by_domain.get(domain)
        if exact is not None:
            return exact
        _, dot, parent = domain.partition(".")
        while dot:
            below = self._by_domain.get(f".{parent}")
            if below is not None:
                return below
            _, dot, parent = parent.partition(".")
        return self._by_domain.get("")
