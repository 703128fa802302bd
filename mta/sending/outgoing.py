"""The values around mail out: a mail to send, the operator's settings for it, alerts about failed TLS.

Not here: sending (mta.sending.deliver).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.ports import TlsFailure
from mta.sending.connections import PoolLimits
from sms.retry import BreakerRule, Ladder
from tls.policy import Demand

BREAKER = BreakerRule(failures=3, rests=Ladder.doubling(timedelta(minutes=1), timedelta(minutes=15)))
"""When a destination that fails as a whole is paused; then one mail at a time probes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeouts:
    """Seconds per stage (RFC 5321 §4.5.3.2); each is for the whole answer, so that a slow peer cannot stretch it.

    `rest` is for the rest of the answer to the message after its first octets, since the first digit suffices;
    `attempt` bounds everything before the message itself, over all hosts.
    """

    connect: float = 30.0
    handshake: float = 30.0
    command: float = 300.0
    content: float = 600.0
    rest: float = 10.0
    attempt: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """The operator's settings for mail out. `helo` is our name; every `alert_after` TLS failures in a row alert.

    `counts_sessions`: attempts tell what their TLS came to, for TLS reports.
    """

    helo: str
    port: int = 25
    source_address: str = ""
    patience: ClientTimeouts = field(default_factory=ClientTimeouts)
    pool: PoolLimits = field(default_factory=PoolLimits)
    breaker: BreakerRule = BREAKER
    mails_per_connection: int = 100
    hosts_per_attempt: int = 5
    alert_after: int = 10
    counts_sessions: bool = False


TlsFailureTaker = Callable[[TlsFailure], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCheck:
    """The result for one host of a domain checked without sending mail; `fault` is empty if mail could be sent.

    `chain` has the certificates that it showed (DER, its own first), none if the handshake failed.
    """

    host: str
    address: str
    demand: Demand
    tls: str
    fault: str
    chain: tuple[bytes, ...] = ()
