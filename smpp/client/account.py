"""Everything the operator's file says about one SMPP carrier.

Not here: its use (client), reading the file (config.model).
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from smpp.dialect.binds import BindMode
from smpp.dialect.dialect import Dialect
from smpp.session.limits import SessionLimits
from sms.retry import Ladder

RECONNECT = Ladder.doubling(timedelta(seconds=1), timedelta(minutes=1), least=0.5)


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

    `throughput` is parts per second, None for no bound. `tls` is None for a plain connection; each connection calls it
    anew, since certificates, also our own in it, are renewed. `reconnect` has the waits before a new bind.
    """

    name: str
    host: str
    port: int
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
