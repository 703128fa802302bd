"""What gauges say, from a health report and from what this process knows. Not here: their table (gateway.metrics)."""

from collections.abc import Iterator
from datetime import datetime

from gateway.admin.health import Concern, HealthReport
from gateway.metrics import Metric, Sample
from store.queue_counts import QueueCount


def read_report(report: HealthReport, now: datetime) -> Iterator[Sample]:
    """Yield what a report says, age counted to `now`."""
    for count in report.messages:
        yield Metric.QUEUED, (count.name,), count.waiting
        yield Metric.QUEUED_LATE, (count.name,), count.late
        yield Metric.QUEUED_AGE, (count.name,), _age(count.oldest_at, now)
    yield Metric.SUBMITTING, (), report.submitting
    yield Metric.FRAGMENTS, (), report.fragments
    for link in report.links:
        yield Metric.LINK, (link.carrier, link.link), link.is_up
    oldest: dict[str, float] = {}
    for row in report.outbox:
        yield Metric.OUTBOX, (row.channel, row.kind, row.state), row.rows
        oldest[row.channel] = max(oldest.get(row.channel, 0.0), _age(row.oldest_at, now))
    for channel, age in oldest.items():
        yield Metric.OUTBOX_AGE, (channel,), age
    for concern in Concern:
        yield Metric.CONCERNS, (concern.value,), sum(item.code is concern for item in report.concerns)
    yield Metric.DISK, (), report.around.free
    ends = {name: ends for name, _, ends in sorted(report.around.certificates, key=lambda item: item[2], reverse=True)}
    for name, end in ends.items():
        yield Metric.CERTIFICATE, (name,), round(end.timestamp())


def oldest_seconds(counts: tuple[QueueCount, ...], now: datetime) -> int:
    """Return how long ago the first of what waits and is late was due, 0 where nothing is late."""
    return round(max((_age(count.oldest_at, now) for count in counts), default=0.0))


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
