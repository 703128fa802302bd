"""What tests of the store share: one database, everything that acts on its queue, and a moved clock."""

from datetime import timedelta
from functools import partial
from typing import Any

from inbound.stop_list import StopEntry
from sms.job import NewJob, NewMessage
from sms.message import Alphabet, EncodedText, MailOrigin, Priority, Receipt, ReceiptState
from sms.number import MobileNumber, country_of
from sms.outbox import OutboxEvent
from sms.outcome import Problem, ProblemCode
from sms.report import Channel, Findings
from sms.serialise import freeze_origins, freeze_settings
from sms.settings import Settings, StatusReport
from store.answers import CarrierAnswer, Rules
from store.batches import in_lists
from store.due import Take
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored
from store.jobs import Outbound
from store.leases import Leases, NodeLeaseRequest
from store.outbox import Outbox, OutboxEnd, Places, TakeDue, TakenRow
from store.queue import Release, find_waiting, flush, hold, release
from store.queue_views import list_messages
from store.receipts import Arrived
from store.recovery import Recovery
from store.results import Cancel, ResultStore
from store.stop_list import add_stops
from store.views import find_job, load_reports
from tests.kit.clock import START
from tests.kit.databases import EMPTY_POSTGRESQL
from tests.kit.readers import DatabaseReaders

BUSY = Problem(code=ProblemCode.CARRIER_BUSY, text="The carrier is busy.")
WRONG = Problem(code=ProblemCode.NUMBER_REFUSED, text="The carrier refused the number.")
LOST = Problem(code=ProblemCode.LINK_LOST, text="The link was lost.")
RESTARTED = Problem(code=ProblemCode.RESTARTED, text="The gateway was restarted.")
SECOND = 1_000_000
_INSTANTS = {"accepted_at", "due_at", "expires_at", "seen_until", "duplicate_until"}  # given as microseconds


def empty(tx, items):
    """Delete all rows: a batch function for a test with many examples."""
    if tx.postgresql:
        tx.execute(EMPTY_POSTGRESQL)  # deleted rows would slow it down
    else:
        for (name,) in tx.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_migration'"):
            tx.execute(f"DELETE FROM {name}")
    return items


class StoreHarness(DatabaseReaders):
    """One process named `owner` with its database; several of them make a cluster."""

    def __init__(
        self, url: str, rules: Rules, *, owner: str = "me", node: int = 1, database: Database | None = None
    ) -> None:
        self.database = database or Database(url)
        if database is None:
            self.database.open()
        self.keys = keys = Keys(node, START.timestamp)
        self.outbound, self.outbox = Outbound(keys), Outbox(keys)
        self.progress = ResultStore(keys, rules)
        self.leases = Leases()
        self.owner = owner
        self.node = node
        self.now = to_stored(START)

    def new_job(self, *numbers: str, parts: int = 1, digest: bytes = b"", findings: Findings = (), **changes) -> NewJob:
        encoded = EncodedText(
            text="Hello" * parts,
            alphabet=Alphabet.GSM7,
            lengths=(len("Hello"),) * parts,
        )
        settings = {
            "directory_version": 0,
            "customer_key": 1,
            "customer": "Example Ltd",
            "profile": "",
            "user_address": "anna@example.com",
            "service": "mail",
            "reference": "",
            "accepted_at": self.now,
            "due_at": self.now,
            "expires_at": self.now + 3600 * SECOND,
            "report": StatusReport.ALWAYS,
            "settings": freeze_settings(Settings()),
            "origins": freeze_origins({}),
            "mail": MailOrigin(reverse_path="anna@example.com", message_id="<1@example.com>", header=b"Subject: x\r\n"),
            "messages": tuple(
                NewMessage(
                    given=f"{n}@sms.example.net",
                    number=MobileNumber(digits=n),
                    encoded=encoded,
                    route="alpha",
                    country=country_of(MobileNumber(digits=n)),
                    digest=digest + n.encode() if digest else b"",
                    findings=findings,
                )
                for n in numbers
            ),
            "sender": None,
            "priority": Priority.NORMAL,
            "flash": False,
            "receipt_wanted": False,
            "seen_until": self.now + SECOND,
            "duplicate_until": self.now + SECOND,
        }
        values: dict[str, Any] = {**settings, **changes}
        values |= {name: to_instant(values[name]) for name in _INSTANTS}
        return NewJob(**values)

    def add(self, *numbers: str, **changes):
        return self.database.write_now(self.outbound.add_jobs, self.new_job(*numbers, **changes))

    def take(self, most: int = 100, carrier: str = "alpha", route: str = "alpha", cost_label: str = "", **more):
        request = Take(
            carrier=carrier,
            routes=(route,),
            most_parts=most,
            now=self.now,
            owner=self.owner,
            cost_label=cost_label,
            **more,
        )
        return self.database.write_now(self.outbound.take, request)

    def settle(self, *answers, carrier: str = "alpha", owner: str = ""):
        items = [
            CarrierAnswer(part_key=key, carrier=carrier, outcome=outcome, at=self.now, owner=owner)
            for key, outcome in answers
        ]
        return self.database.write_now(in_lists(self.progress.settle), items)

    def receipt(self, carrier_id: str, state: ReceiptState, number: str = "", carrier: str = "alpha", **changes):
        receipt = Receipt(carrier=carrier, carrier_id=carrier_id, state=state, number=number, **changes)
        return self.database.write_now(self.progress.report, Arrived(receipt=receipt, at=self.now))

    def sweep(self, later: timedelta = timedelta(0)):
        """Let time pass and sweep; returns the number of messages examined."""
        self.now += int(later.total_seconds() * SECOND)
        return self.database.write_now(self.progress.sweep, self.now).looked_at

    def recover(self, owner: str):
        request = Recovery(owner=owner, now=self.now, problem=RESTARTED)
        return self.database.write_now(self.progress.recover, request)

    def live(self, owner: str | None = None, *, ended: str = "") -> bool:
        """Get a lease, under a new name if one is given; the process `ended` is known to have ended."""
        self.owner = owner or self.owner
        request = NodeLeaseRequest(owner=self.owner, node=self.node, ended=ended)
        return self.database.write_now(self.leases.acquire, request)

    def seem_dead(self) -> None:
        """Let the lease expire, as if this process had stopped for long."""
        statement = "UPDATE node_lease SET expires_at = ? WHERE owner = ?"
        self.database.write_now(
            lambda tx, owners: [tx.execute(statement, (tx.now(), owner)) for owner in owners], self.owner
        )

    def find(self, public: str):
        return self.database.read_now(partial(find_waiting, name=public))

    def cancel(self, public: str):
        request = Cancel(message_keys=self.find(public).messages, now=self.now)
        return self.database.write_now(self.progress.cancel, request)

    def stop(self, *entries: StopEntry):
        """Add entries of stop lists."""
        return self.database.write_now(
            lambda tx, items: [add_stops(tx, self.keys, item, self.now) for item in items], entries
        )

    def hold(self, public: str):
        return self.database.write_now(hold, self.find(public))

    def release(self, public: str):
        return self.database.write_now(release, Release(found=self.find(public), now=self.now))

    def flush(self):
        return self.database.write_now(flush, self.now)

    def waiting(self):
        return self.database.read_now(partial(list_messages, limit=100))

    def report(self, job_id: str):
        def load(tx):
            key = find_job(tx, job_id)
            assert key is not None
            return load_reports(tx, [key])[key]

        return self.database.read_now(load)

    def execute(self, sql: str) -> None:
        """Change rows like another process."""
        self.database.write_now(lambda tx, _: [tx.execute(sql)], None)

    def notices(self, most: int = 100, channel: Channel = Channel.MAIL) -> list[TakenRow]:
        """Take what is due of the outbox."""
        return self.database.write_now(self.outbox.take, take_due(self.now, self.owner, most, channel))

    def end_notice(self, taken: TakenRow, event: OutboxEvent = OutboxEvent.SEND, **facts) -> None:
        """Record what became of a row that was taken."""
        self.database.write_now(self.outbox.end, OutboxEnd(taken=taken, event=event, at=self.now, **facts))


def take_due(now: int, owner: str = "me", most: int = 100, channel: Channel = Channel.MAIL) -> TakeDue:
    """Return a request for what is due, whatever its destination."""
    places = Places(most=most, each=most, ceiling=most, under_way={})
    return TakeDue(owner=owner, channel=channel, now=now, places=places)


def steps(run):
    """Return how many steps SQLite's machine takes for a call: the same on a quick and on a busy computer."""
    count = 0

    def step():
        nonlocal count
        count += 1

    def counted(tx, items):
        tx._connection.set_progress_handler(step, 1)
        try:
            return run(tx, items)
        finally:
            tx._connection.set_progress_handler(None, 0)

    return counted, lambda: count
