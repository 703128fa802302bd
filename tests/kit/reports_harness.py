"""What tests of reports share: one node that sends and receives, with the worker of sums, and a carrier that records."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from gateway.admin.settings import CustomerScope, set_settings
from reports.monthly import Monthly
from reports.retention import Retention
from reports.summing import Summing
from sms.message import Receipt, ReceiptState
from sms.outcome import Done, Failed, Retry, Unknown
from store.answers import Rules
from store.batches import in_lists
from store.directory import read_version
from store.engine.keys import to_instant, to_stored
from store.receipts import Arrived
from store.results import ResultStore
from store.sums_tables import TrafficSumRow
from tests.kit.inbound_harness import InboundHarness
from tests.kit.store_harness import BUSY, LOST, WRONG


class ReportsHarness(InboundHarness):
    """One node; `rules` are those of its carriers. Its clock moves by `pass_time` and `go_to`."""

    def __init__(self, url: str, rules: Rules | None = None, **more) -> None:
        super().__init__(url, **more)
        self.progress = ResultStore(self.keys, rules or Rules())
        self.summing = Summing(database=self.database, book=self.book, clock=self.clock)
        self.monthly = Monthly(
            database=self.database, keys=self.keys, book=self.book, clock=self.clock, written=lambda: None
        )
        self.retention = Retention(database=self.database, clock=self.clock)
        self.go_to(self.clock.now())

    def go_to(self, instant: datetime) -> None:
        """Let it be this time."""
        self.clock.instant = instant
        self.now = to_stored(instant)

    def pass_time(self, by: timedelta) -> None:
        """Let time pass."""
        self.go_to(to_instant(self.now) + by)

    def new_job(self, *numbers: str, **changes):
        version = self.database.read_now(read_version)
        return super().new_job(*numbers, **{"directory_version": version, "customer_key": self.customer, **changes})

    async def sum_all(self) -> None:
        """Let the worker sum what is due."""
        await self.book.refresh()
        while await self.summing.step():
            pass

    async def forget_all(self) -> int:
        """Let the worker delete what is over; returns in how many steps."""
        steps = 0
        while await self.retention.step():
            steps += 1
        return steps

    def set(self, name: str, value: str, customer: str = "Example Ltd") -> None:
        """Set a setting of the customer."""
        self.admin.change_now(lambda edit: set_settings(edit, CustomerScope(customer), {name: value}))

    def deliver(self, *numbers: str, parts: int = 1, **changes):
        """Have a carrier take and deliver a job; its ids are the keys of its parts."""
        job = self.add(*numbers, parts=parts, receipt_wanted=True, **changes)
        keys = [part.part_key for part in self.take()]
        self.settle(*((key, Done(reference=str(key))) for key in keys))
        receipts = [Receipt(carrier="alpha", carrier_id=str(key), state=ReceiptState.DELIVERED) for key in keys]
        self.database.write_now(
            in_lists(self.progress.report), [Arrived(receipt=receipt, at=self.now) for receipt in receipts]
        )
        return job

    def deliver_late(self, number: str, **changes) -> str:
        """Have a carrier take a job that no receipt comes for until it has ended as unknown; returns the part's id."""
        self.add(number, receipt_wanted=True, **changes)
        (part,) = self.take()
        self.settle((part.part_key, Done(reference=str(part.part_key))))
        self.pass_time(timedelta(days=2))
        self.sweep()
        return str(part.part_key)

    def sums(self, *columns: str, **equal) -> Counter:
        """Return how many messages, parts, billed and unanswered parts stand in the sums, by values of columns."""
        found: Counter = Counter()
        for row in self.stored(TrafficSumRow, **equal):
            key = tuple(getattr(row, column) for column in columns)
            for figure in ("messages", "parts", "billed", "unanswered"):
                found[(*key, figure)] += getattr(row, figure)
        return +found


class RecordingCarrier:
    """A carrier that does something else with each part, by chance, and counts the parts that it would bill.

    `known` are those of which it also told the gateway, by an answer or a receipt.
    """

    def __init__(self, name: str, chance: Random) -> None:
        self.name = name
        self.known: set[str] = set()
        self.taken: list[str] = []
        self.to_report: list[tuple[str, str, bool]] = []
        self._chance = chance

    def submit(self, world: ReportsHarness) -> int:
        """Take what is due and answer it; returns how many parts that were."""
        parts = world.take(carrier=self.name, route="alpha>beta") + world.take(carrier=self.name, route=self.name)
        for part in parts:
            world.settle((part.part_key, self._answer(part.number.digits)), carrier=self.name)
        return len(parts)

    def _answer(self, number: str):
        roll = self._chance.random()
        if roll < 0.1:
            return Retry(problem=BUSY)
        if roll < 0.2:
            return Failed(problem=WRONG)
        carrier_id = f"{self.name}-{len(self.taken)}"
        if roll < 0.3:
            if self._chance.random() < 0.5:
                self._take(carrier_id, number, answered=False)
            return Unknown(problem=LOST)
        self._take(carrier_id, number, answered=True)
        return Done(reference=carrier_id)

    def _take(self, carrier_id: str, number: str, *, answered: bool) -> None:
        self.taken.append(carrier_id)
        self.to_report.append((carrier_id, number, answered))
        if answered:
            self.known.add(carrier_id)

    def report(self, world: ReportsHarness, share: float) -> None:
        """Send receipts for a share of what is not reported yet; those whose answer was lost say it by the number."""
        later = []
        for carrier_id, number, answered in self.to_report:
            if self._chance.random() > share:
                later.append((carrier_id, number, answered))
                continue
            state = self._chance.choice(
                [ReceiptState.DELIVERED, ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.EXPIRED]
            )
            world.receipt(carrier_id, state, number=number, carrier=self.name)
            if not answered and world.rows("SELECT key FROM part WHERE carrier_id = ?", carrier_id):
                self.known.add(carrier_id)
            if state is not ReceiptState.DELIVERED:
                later.append((carrier_id, number, answered))  # the network may correct itself
        self.to_report = later
