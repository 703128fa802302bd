"""Tells the administrator what does not mend itself: once when it has lasted, and once when it is over.

What was told is known from the newest mail of its topic in the outbox, so that a restart and another node know it too.
Not here: how the gateway is (gateway.admin.health), the words (alert_texts).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from config.alerts import AlertOptions
from gateway import alert_texts
from gateway.admin.health import HealthReport, Surroundings, find_old, report_health
from gateway.alerts import Alert, Alerts, log_alert
from gateway.ports import Clock
from gateway.traffic_rise import TrafficRises
from gateway.worker import Worker
from sms.route import SEPARATOR
from store.carrier_links import CarrierLink
from store.engine.database import Database, Transaction
from store.leases import living_nodes
from store.outbox import Outbox
from store.outbox_views import ToldTopic, told_topics

TOPICS: Final = "health:"
# What comes and goes every minute is one concern.
_CALM = timedelta(minutes=2)
_FAR_AWAY = 10_000  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Something that has lasted long enough to be told; a smaller `stage` (days left) is told again."""

    topic: str
    alert: Alert
    stage: int = 0


def find_lasting(report: HealthReport, options: AlertOptions, now: datetime, node: str) -> list[Lasting]:
    """Return what is to be told of a gateway; `node` names what is this machine's alone."""
    found = [*_of_machine(report, options, now, node)]
    renewal = report.renewal
    if renewal.problem:
        stages = [days for days in options.certificate_days if _ends_within(renewal.ends_at, now, days)]
        alert = alert_texts.certificate_refused(renewal)
        found.append(Lasting(topic="certificate refused", alert=alert, stage=min(stages, default=_FAR_AWAY)))
    away = _carriers_away(report.links, now - options.carrier_away)
    found += [
        Lasting(topic=f"carrier:{name}", alert=alert_texts.carrier_away(name, link)) for name, link in away.items()
    ]
    for item in report.messages:
        is_late = item.oldest_at is not None and item.oldest_at < now - options.queue_late
        if is_late and not set(item.name.split(SEPARATOR)) <= away.keys():  # that is told as the carrier's absence
            found.append(Lasting(topic=f"queue:{item.name}", alert=alert_texts.messages_late(item)))
    late = [item for item in report.notices if item.oldest_at is not None and item.oldest_at < now - options.queue_late]
    if late:
        found.append(Lasting(topic="outbox", alert=alert_texts.notices_late(late)))
    found += [
        Lasting(
            topic=f"directory:{state.customer}:{state.stored.directory.name}",
            alert=alert_texts.directory_old(state.customer, state.stored.directory.name, read_at, state.admin_address),
        )
        for state in report.directories
        if (read_at := find_old(state, now))
    ]
    return found


def _of_machine(report: HealthReport, options: AlertOptions, now: datetime, node: str) -> Iterable[Lasting]:
    around = report.around
    if around.free < around.reserve:
        yield Lasting(topic=f"disk:{node}:", alert=alert_texts.disk_full(around.folder, around.free, around.reserve))
    for name, fault in around.unusable:
        yield Lasting(
            topic=f"certificate:{node}:{name}:unusable:{fault}", alert=alert_texts.certificate_unusable(name, fault)
        )
    for name, file, ends in around.certificates:
        stages = [days for days in options.certificate_days if _ends_within(ends, now, days)]
        if stages:
            yield Lasting(
                topic=f"certificate:{node}:{name}:{file}",
                alert=alert_texts.certificate_ends(name, file, ends, now),
                stage=min(stages),
            )


def _ends_within(ends: datetime | None, now: datetime, days: int) -> bool:
    return ends is not None and ends < now + timedelta(days=days)


def _carriers_away(links: Sequence[CarrierLink], before: datetime) -> Mapping[str, CarrierLink]:
    """Return the carriers none of whose links is up, all since before an instant, with the link that was up last."""
    by_carrier: dict[str, list[CarrierLink]] = {}
    for link in links:
        by_carrier.setdefault(link.carrier, []).append(link)
    last = {
        name: max(those, key=lambda link: link.since_at)
        for name, those in by_carrier.items()
        if not any(link.is_up for link in those)
    }
    return {name: link for name, link in last.items() if link.since_at < before}


class HealthWatch:
    """Looks at the gateway again and again; `look_around` tells what the machine is like, and may block."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbox: Outbox,
        alerts: Alerts,
        clock: Clock,
        node: int,
        options: AlertOptions,
        look_around: Callable[[], Surroundings],
        written: Callable[[], None],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._alerts = alerts
        self._clock = clock
        self._node = node
        self._options = options
        self._look_around = look_around
        self._written = written
        self._logged: dict[str, ToldTopic] = {}
        self._gone_since: dict[str, datetime] = {}
        self._rises = TrafficRises()
        self.worker = Worker("health", self.step, look_every=options.every.total_seconds())

    async def step(self) -> bool:
        """Look once, and tell what is new."""
        around = await asyncio.to_thread(self._look_around)
        now = self._clock.now()
        report, told, is_first, rises = await self._database.read(lambda tx: self._read(tx, around, now))
        lasting = {
            TOPICS + item.topic: item
            for item in (*find_lasting(report, self._options, now, str(self._node)), *rises)
            if is_first or self._is_mine(TOPICS + item.topic)
        }
        news = [*self._begun(lasting, told), *self._over(lasting, told, now, is_first=is_first)]
        if news:
            is_written = await self._database.write(self._write, news)
            if is_written:
                self._written()
        for alert in news:
            log_alert(alert)
            self._logged[alert.topic] = _told(alert)
        return False

    def _read(
        self, tx: Transaction, around: Surroundings, now: datetime
    ) -> tuple[HealthReport, Mapping[str, ToldTopic], bool, list[Lasting]]:
        """Return how the gateway is, what was told, whether this node tells what is everybody's, and what rises."""
        nodes = living_nodes(tx)
        is_first = not nodes or nodes[0] == self._node
        rises = self._rises.find(tx, now) if is_first else []
        told = {item.topic: item for item in told_topics(tx, TOPICS)}
        return (
            report_health(tx, around, now, self._options),
            {**self._logged, **told},
            is_first,
            [
                Lasting(topic=f"rise:{item.customer}:{item.carrier}", alert=alert_texts.traffic_rises(item))
                for item in rises
            ],
        )

    def _is_mine(self, topic: str) -> bool:
        return topic.startswith((f"{TOPICS}disk:{self._node}:", f"{TOPICS}certificate:{self._node}:"))

    def _begun(self, lasting: Mapping[str, Lasting], told: Mapping[str, ToldTopic]) -> Iterable[Alert]:
        for topic, item in lasting.items():
            before = told.get(topic)
            if before is None or before.over or item.stage < before.stage:
                yield replace(item.alert, topic=topic, stage=item.stage, quiet=timedelta())

    def _over(
        self, lasting: Mapping[str, Lasting], told: Mapping[str, ToldTopic], now: datetime, *, is_first: bool
    ) -> Iterable[Alert]:
        for topic, before in told.items():
            if before.over or topic in lasting or not (is_first or self._is_mine(topic)):
                self._gone_since.pop(topic, None)
            elif now - self._gone_since.setdefault(topic, now) >= _CALM:
                del self._gone_since[topic]
                yield alert_texts.over(before)

    def _write(self, tx: Transaction, batches: list[list[Alert]]) -> list[bool]:
        """Write what another node has not told meanwhile."""
        written = []
        for batch in batches:
            told = {item.topic: (item.stage, item.over) for item in told_topics(tx, TOPICS)}
            new = [alert for alert in batch if told.get(alert.topic) != (alert.stage, alert.over)]
            rows = [row for row in map(self._alerts.row_of, new) if row is not None]
            written.append(any(self._outbox.add(tx, rows)) if rows else False)
        return written


def _told(alert: Alert) -> ToldTopic:
    return ToldTopic(
        topic=alert.topic, subject=alert.subject, recipient=alert.address, stage=alert.stage, over=alert.over
    )
