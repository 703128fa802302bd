"""What counts and times on the way: carriers and senders that do their work and note what came of it.

Not here: what is counted (gateway.metrics).
"""

from collections.abc import Callable, Sequence
from time import monotonic

from gateway.metrics import Metric, Metrics
from gateway.ports import Carrier, CarrierEvents, Item, ItemSender, MailAttempt
from sms.message import PartToSubmit
from sms.outcome import Outcome
from sms.report import Channel


class MeasuredCarrier:
    """Fulfils gateway.ports.Carrier: one whose answers are counted and timed."""

    def __init__(self, carrier: Carrier, metrics: Metrics, now: Callable[[], float] = monotonic) -> None:
        self._carrier = carrier
        self._metrics = metrics
        self._now = now
        self._sent: dict[int, float] = {}
        self.name = carrier.name

    def free_window(self) -> int:
        """Return how many parts it takes now."""
        return self._carrier.free_window()

    def submit(self, parts: Sequence[PartToSubmit]) -> None:
        """Send the parts."""
        self._sent |= dict.fromkeys((part.part_key for part in parts), self._now())
        self._carrier.submit(parts)

    def answered(self, part_key: int, outcome: Outcome) -> None:
        """Note the answer to one part."""
        self._metrics.count(Metric.ANSWERS, self.name, _word(outcome))
        began = self._sent.pop(part_key, None)
        if began is not None:
            self._metrics.observe(Metric.ANSWER_SECONDS, self._now() - began, self.name)

    async def start(self, events: CarrierEvents) -> None:
        """Begin to connect."""
        await self._carrier.start(events)

    async def stop(self, grace_seconds: float) -> None:
        """Wait for answers and close."""
        await self._carrier.stop(grace_seconds)


class MeasuredSender:
    """Fulfils gateway.ports.ItemSender: one whose attempts are counted and timed."""

    def __init__(
        self, sender: ItemSender, channel: Channel, metrics: Metrics, now: Callable[[], float] = monotonic
    ) -> None:
        self._sender = sender
        self._channel = channel
        self._metrics = metrics
        self._now = now

    async def send(self, item: Item) -> MailAttempt | None:
        """Make one attempt; where nobody was called it is none."""
        began = self._now()
        attempt = await self._sender.send(item)
        if attempt is None or attempt.called:
            word = "skipped" if attempt is None else _word(attempt.outcome)
            self._metrics.count(Metric.ATTEMPTS, self._channel, word)
            self._metrics.observe(Metric.ATTEMPT_SECONDS, self._now() - began, self._channel)
        return attempt


def _word(outcome: Outcome) -> str:
    return type(outcome).__name__.lower()
