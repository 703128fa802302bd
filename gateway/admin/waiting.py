"""What a message that has not ended waits for, as the database and the operator's file tell.

Not here: the words (cli.queue), which messages there are (store.queue_views).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sms.facts import Code, Fact
from sms.lifecycle import MessageState
from sms.route import LOST_ROUTE, SEPARATOR
from sms.schedule import Hours
from store.carrier_links import CarrierLink
from store.queue_views import WaitingMessage


class WaitsFor(Code):
    """What a message waits for."""

    CARRIER = ("carrier",)
    RELEASE = "release", "until"
    SCHEDULE = "schedule", "until"
    BLACKOUT = "blackout", "until"
    RETRY = "retry", "until", "after"
    GATEWAY = ("gateway",)
    ROUTE = ("route",)
    HOURS = "hours", "carrier", "opens"
    LINK = "link", "carrier", "since", "trouble"
    TURN = "turn", "since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What is known of the carriers now: whether a process serves, where links are, and the hours of some."""

    serving: bool
    links: Sequence[CarrierLink] = ()
    hours: Mapping[str, Hours] = field(default_factory=dict)


Why = tuple[WaitsFor, dict[str, Fact]]


def decide_why(message: WaitingMessage, ways: Ways, now: datetime) -> Why:
    """Return what a message waits for at an instant, with the facts of that."""
    if message.state != MessageState.QUEUED:
        return WaitsFor.CARRIER, {}
    due = _at(message.due_at)
    later = message.due_at > now
    if message.held:
        return WaitsFor.RELEASE, {"until": due if later and not message.attempts else ""}
    ends = message.blackout_ends(now)
    if ends is not None and message.due_at <= ends:
        return WaitsFor.BLACKOUT, {"until": _at(ends)}
    if later and not message.attempts:
        return WaitsFor.SCHEDULE, {"until": due}
    if later:
        return WaitsFor.RETRY, {"until": due, "after": message.cause or message.reason}
    return _of_carriers(message, ways, now)


def _of_carriers(message: WaitingMessage, ways: Ways, now: datetime) -> Why:
    if not ways.serving:
        return WaitsFor.GATEWAY, {}
    if message.route == LOST_ROUTE:
        return WaitsFor.ROUTE, {}
    bars = [_find_bar(name, ways, now) for name in message.route.split(SEPARATOR)]
    first = bars[0]
    return first if first is not None and None not in bars else (WaitsFor.TURN, {"since": _at(message.due_at)})


def _find_bar(carrier: str, ways: Ways, now: datetime) -> Why | None:
    """Return why a carrier takes nothing now, None where it may."""
    hours = ways.hours.get(carrier)
    if hours is not None and not hours.open_at(now):
        return WaitsFor.HOURS, {"carrier": carrier, "opens": f"{hours.since:%H:%M} {hours.zone}"}
    links = [link for link in ways.links if link.carrier == carrier]
    if links and not any(link.is_up for link in links):
        link = max(links, key=lambda link: link.since_at)
        return WaitsFor.LINK, {"carrier": carrier, "since": _at(link.since_at), "trouble": link.trouble}
    return None


def _at(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")
