"""What the operator sees of a running gateway: its health, what waits and why, and what was told.

Not here: what may be changed (gateway.admin.queue, gateway.admin.suspensions).
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from config.alerts import AlertOptions
from gateway.admin.health import HealthReport, Surroundings, report_health
from gateway.admin.rerouting import Rerouting
from gateway.admin.waiting import Ways, Why, decide_why
from sms.route import first_carrier
from sms.schedule import Hours
from store.carrier_links import list_links
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.leases import living_processes
from store.outbox_views import ToldAlert, WaitingNotice, list_alerts, list_notices
from store.queue_views import WaitingMessage, list_messages
from store.traffic import count_by_hour

MOST_LISTED: Final = 100
_MOST_ALERTS: Final = 20
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorDesk:
    """What the operator's file says of that; `look_around` tells what the machine is like, and may block.

    `rerouting` gives what waits to other carriers in somebody's name, by one of `routes`; it may block.
    """

    look_around: Callable[[], Surroundings]
    alerts: AlertOptions
    rerouting: Callable[[str], Rerouting]
    routes: Callable[[], Collection[str]]
    hours: Mapping[str, Hours] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorsView:
    """The gateway on one page. `nodes` are processes that share its database, each with its number and its name.

    `late_sms` has by carrier how many SMS were accepted for it within an hour.
    """

    report: HealthReport
    nodes: Sequence[tuple[int, str]]
    late_sms: Mapping[str, int]
    alerts: Sequence[ToldAlert]


def read_operation(tx: Transaction, operation: OperatorDesk, around: Surroundings, now: datetime) -> OperatorsView:
    """Return how the gateway is."""
    sent = Counter[str]()
    for _, _, route, count in count_by_hour(tx, to_stored(now - _HOUR), to_stored(now)):
        sent[first_carrier(route)] += count
    return OperatorsView(
        report=report_health(tx, around, now, operation.alerts),
        nodes=living_processes(tx),
        late_sms=sent,
        alerts=list_alerts(tx, _MOST_ALERTS),
    )


def read_waiting(
    tx: Transaction, operation: OperatorDesk, now: datetime
) -> tuple[list[tuple[WaitingMessage, Why]], list[WaitingNotice]]:
    """Return what waits longest, each message with what it waits for."""
    ways = Ways(serving=True, links=list_links(tx), hours=operation.hours)
    messages = list_messages(tx, MOST_LISTED)
    return [(message, decide_why(message, ways, now)) for message in messages], list_notices(tx, MOST_LISTED)
