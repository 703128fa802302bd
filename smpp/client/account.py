"""Everything the operator's file says about one SMPP carrier.

Not here: its use (client), reading the file (config.model).
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from smpp.dialect.binds import BINDS, BindMode
from smpp.dialect.dialect import Dialect
from smpp.session.limits import SessionLimits
from smpp.wire.bodies import Bind
from sms.retry import Ladder

RECONNECT = Ladder.doubling(timedelta(seconds=1), timedelta(minutes=1), least=0.5)


@dataclass(frozen=True, slots=True)
class CarrierHost:
    """A host of a carrier with its port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One link that an account wants: its kind of bind, and the hosts in the order in which it prefers them."""

    name: str
    kind: type[Bind]
    hosts: tuple[CarrierHost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbindDoor:
    """Where the carrier may connect with an outbind (§4.1.7), and the credentials it must give."""

    host: str
    port: int
    system_id: str
    password: str
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierAccount:
    """Everything the operator's file says about one carrier; seconds unless a field says otherwise.

    `links` is how many links of each kind there are. `throughput` is parts per second of all of them together, None for
    no bound; the window is of each. `tls` is None for a plain connection; each connection calls it anew, since
    certificates, also our own in it, are renewed. `server_hostname` is what a certificate must name, where that is not
    its host. `reconnect` has the waits before a link tries a host again.
    """

    name: str
    hosts: tuple[CarrierHost, ...]
    links: int = 1
    system_id: str
    password: str = field(repr=False)
    bind: BindMode = BindMode.TRANSCEIVER
    dialect: Dialect = field(default_factory=Dialect)
    limits: SessionLimits = field(default_factory=SessionLimits)
    throughput: float | None = None
    tls: Callable[[], ssl.SSLContext] | None = None
    server_hostname: str = ""
    connect_seconds: float = 10.0
    reconnect: Ladder = RECONNECT
    outbind: OutbindDoor | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The links, spread over the hosts: each prefers the one behind the preferred of the link before it."""
        kinds = BINDS[self.bind]
        return tuple(
            Slot(
                name=str(at + 1) if len(kinds) == 1 else f"{kind.__name__.removeprefix('Bind').lower()} {at + 1}",
                kind=kind,
                hosts=self.hosts[at % len(self.hosts) :] + self.hosts[: at % len(self.hosts)],
            )
            for at in range(self.links)
            for kind in kinds
        )
