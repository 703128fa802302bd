"""What is counted while the gateway runs, and its text as Prometheus reads it: format 0.0.4, or OpenMetrics 1.0.

One table says what there is; docs/metrics.md repeats it, and a test holds them equal. A label takes only values that
are known at the start, so that no sender and no customer can make series. Counters and histograms begin at zero with
the process; gauges are read when they are asked for, but for those that are counted up and down. Not here: who counts
(gateway.measuring, the doors), reading what gauges say (gateway.gauges).
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import product
from typing import Self

from sms.facts import Fact
from sms.message import Origin, ReceiptState
from sms.outcome import Refusal
from sms.report import Channel

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of all histograms, in seconds."""
_OTHER = "other"


class MetricKind(StrEnum):
    """What a metric's numbers mean."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(StrEnum):
    """Every metric, with its kind, its labels, and what it says. The name of a counter ends in `_total`."""

    kind: MetricKind
    labels: tuple[str, ...]
    text: str

    def __new__(cls, name: str, kind: MetricKind, labels: str, text: str) -> Self:
        """Make a metric; `labels` are parted by blanks."""
        metric = str.__new__(cls, f"mail2sms_{name}")
        metric._value_ = f"mail2sms_{name}"
        metric.kind, metric.labels, metric.text = kind, tuple(labels.split()), text
        return metric

    # fmt: off
    INFO = "info", MetricKind.GAUGE, "version node", "1, with version and node of this process"
    START = "start_time_seconds", MetricKind.GAUGE, "", "When this process began, in seconds since 1970"
    ACCEPTED_JOBS = "accepted_jobs_total", MetricKind.COUNTER, "service", "Jobs that were kept"
    ACCEPTED = "accepted_messages_total", MetricKind.COUNTER, "service", "SMS of kept jobs, one for each recipient"
    REFUSED = "refused_total", MetricKind.COUNTER, "service reason", "Mails, recipients and requests that were refused"
    ACCEPT_SECONDS = "accept_seconds", MetricKind.HISTOGRAM, "", "From a decided job until it is kept"
    ANSWERS = "carrier_answers_total", MetricKind.COUNTER, "carrier outcome", "Parts that a carrier answered"
    ANSWER_SECONDS = "carrier_answer_seconds", MetricKind.HISTOGRAM, "carrier", "From a sent part until its answer"
    RECEIPTS = "receipts_total", MetricKind.COUNTER, "carrier state", "Receipts of carriers"
    INBOUND = "inbound_parts_total", MetricKind.COUNTER, "carrier", "Parts of SMS that came from phones"
    ATTEMPTS = "outbox_attempts_total", MetricKind.COUNTER, "channel outcome", "Attempts to send what we owe somebody"
    ATTEMPT_SECONDS = "outbox_attempt_seconds", MetricKind.HISTOGRAM, "channel", "What one such attempt took"
    HTTP = "http_requests_total", MetricKind.COUNTER, "method status", "Answers by HTTP; the status as 2xx, 4xx, 5xx"
    HTTP_SECONDS = "http_request_seconds", MetricKind.HISTOGRAM, "method", "What one answer by HTTP took"
    ESME_BINDS = "esme_binds", MetricKind.GAUGE, "door bind", "Binds of ESMEs to this process, by their type"
    ESME_SUBMITS = "esme_submits_total", MetricKind.COUNTER, "door answer", "Submits of ESMEs that were answered"
    ESME_SECONDS = "esme_submit_seconds", MetricKind.HISTOGRAM, "door", "From a submit of an ESME until its answer"
    DATABASE = "database_up", MetricKind.GAUGE, "", "Whether the database answers; if not, all below are missing"
    QUEUED = "queued_messages", MetricKind.GAUGE, "route", "SMS that wait, by the carriers that may take them"
    QUEUED_LATE = "queued_late_messages", MetricKind.GAUGE, "route", "Those of them that were due a minute ago"
    QUEUED_AGE = "queued_oldest_seconds", MetricKind.GAUGE, "route", "How long ago the first late one was due, else 0"
    SUBMITTING = "submitting_messages", MetricKind.GAUGE, "", "SMS that carriers are being given"
    FRAGMENTS = "inbound_fragments", MetricKind.GAUGE, "", "Parts of inbound SMS that wait for their others"
    LINK = "link_up", MetricKind.GAUGE, "carrier link", "Whether a link to a carrier is up"
    OUTBOX = "outbox_rows", MetricKind.GAUGE, "channel kind state", "What waits in the outbox"
    OUTBOX_AGE = "outbox_oldest_seconds", MetricKind.GAUGE, "channel", "How long ago the first one was due, else 0"
    DIRECTORY = "directory_version", MetricKind.GAUGE, "", "The version of the address book that this process uses"
    CONCERNS = "concerns", MetricKind.GAUGE, "concern", "What needs a hand, as «mail2sms health» names it"
    DISK = "disk_free_bytes", MetricKind.GAUGE, "", "What is free where mails are kept"
    CERTIFICATE = "certificate_end_seconds", MetricKind.GAUGE, "name", "When a certificate ends, in seconds since 1970"
    # fmt: on


_UP_AND_DOWN = frozenset({Metric.ESME_BINDS})
"""Gauges that are counted, not read."""
_OUTCOMES = ("done", "retry", "failed", "unknown", "skipped")
_STATUSES = ("2xx", "3xx", "4xx", "5xx")
_BINDS = ("transmitter", "receiver", "transceiver")
_ANSWERS = ("kept", "refused", "throttled")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", _OTHER)

Sample = tuple[Metric, tuple[Fact, ...], float]
"""The value of a gauge: its metric, the values of its labels, the number."""


class Metrics:
    """The counters and histograms of one process. All calls come from the event loop's thread.

    `doors` are those at which ESMEs bind.
    """

    def __init__(self, carriers: Collection[str] = (), doors: Collection[str] = ()) -> None:
        self._known: Mapping[str, frozenset[str]] = {
            label: frozenset(values)
            for label, values in {
                "service": map(str, Origin),
                "reason": map(str, Refusal),
                "state": map(str, ReceiptState),
                "channel": map(str, Channel),
                "carrier": carriers,
                "outcome": _OUTCOMES,
                "status": _STATUSES,
                "method": _METHODS,
                "door": doors,
                "bind": _BINDS,
                "answer": _ANSWERS,
            }.items()
        }
        self._counts: dict[Metric, dict[tuple[str, ...], float]] = {}
        self._times: dict[Metric, dict[tuple[str, ...], list[float]]] = {}
        for metric in Metric:
            # A series that begins with its first event hides this event from rate(); only reasons are too many.
            series = product(*(sorted(self._known.get(label, ())) for label in metric.labels if label != "reason"))
            if metric.kind is MetricKind.COUNTER or metric in _UP_AND_DOWN:
                self._counts[metric] = {} if "reason" in metric.labels else dict.fromkeys(series, 0.0)
            elif metric.kind is MetricKind.HISTOGRAM:
                self._times[metric] = {labels: _empty() for labels in series}

    def count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        """Count what happened, or by -1 that it has ended; a value that is not known counts as `other`."""
        series = self._counts[metric]
        key = labels if labels in series else self._bounded(metric, labels)
        series[key] = series.get(key, 0.0) + by

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Note how long something took."""
        series = self._times[metric]
        found = series.get(labels)
        if found is None:
            found = series.setdefault(self._bounded(metric, labels), _empty())
        found[bisect_left(BUCKETS, seconds)] += 1
        found[-1] += max(seconds, 0.0)

    def value(self, metric: Metric, *labels: str) -> float:
        """Return what was counted."""
        return self._counts[metric].get(labels, 0.0)

    def render(self, gauges: Iterable[Sample], *, openmetrics: bool = False) -> str:
        """Return everything as text; `gauges` in any order."""
        read: dict[Metric, list[tuple[tuple[str, ...], float]]] = {}
        for metric, labels, value in gauges:
            read.setdefault(metric, []).append((tuple(map(str, labels)), value))
        lines: list[str] = []
        for metric in Metric:
            family = metric.removesuffix("_total") if openmetrics else metric.value
            samples = list(self._samples(metric, read.get(metric, ())))
            if samples:
                lines += [f"# HELP {family} {metric.text}.", f"# TYPE {family} {metric.kind}", *samples]
        return "\n".join([*lines, "# EOF"] if openmetrics else lines) + "\n"

    def _samples(self, metric: Metric, read: Sequence[tuple[tuple[str, ...], float]]) -> Iterator[str]:
        match metric.kind:
            case MetricKind.GAUGE:
                counted = self._counts.get(metric, {}).items()
                yield from (_sample(metric, metric.labels, *item) for item in sorted([*read, *counted]))
            case MetricKind.COUNTER:
                yield from (_sample(metric, metric.labels, *item) for item in sorted(self._counts[metric].items()))
            case MetricKind.HISTOGRAM:
                for labels, found in sorted(self._times[metric].items()):
                    yield from _histogram(metric, labels, found)

    def _bounded(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        known = self._known
        return tuple(
            value if value in known[name] else _OTHER for name, value in zip(metric.labels, labels, strict=True)
        )


def _empty() -> list[float]:
    """Return the counts of all buckets, of what is longer than all, and the sum of seconds."""
    return [0.0] * (len(BUCKETS) + 2)


def _histogram(metric: Metric, labels: tuple[str, ...], found: Sequence[float]) -> Iterator[str]:
    names, total = (*metric.labels, "le"), 0.0
    for bound, number in zip((*map(str, BUCKETS), "+Inf"), found, strict=False):
        total += number
        yield _sample(f"{metric}_bucket", names, (*labels, bound), total)
    yield _sample(f"{metric}_sum", metric.labels, labels, found[-1])
    yield _sample(f"{metric}_count", metric.labels, labels, total)


def _sample(name: str, labels: Sequence[str], values: Sequence[str], number: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))
    shown = int(number) if number == int(number) else number
    return f"{name}{{{pairs}}} {shown}" if pairs else f"{name} {shown}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
