"""Whatever happens in whatever order: each job settles once, is told once, and nothing is submitted twice unasked."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms.lifecycle import TRANSITIONS, MessageState, is_final
from sms.message import Priority, ReceiptState
from sms.outcome import Done, Failed, Retry, Unknown
from sms.settings import StatusReport
from store.answers import Rules
from tests.kit.store_harness import BUSY, LOST, WRONG, StoreHarness, empty

CARRIERS = ("alpha", "generous", "mute")
RESENDS = 2
RULES = Rules(resends={"generous": RESENDS}, without_receipts=frozenset({"mute"}))
REPORTED = (
    ReceiptState.DELIVERED,
    ReceiptState.UNDELIVERABLE,
    ReceiptState.EXPIRED,
    ReceiptState.REJECTED,
    ReceiptState.UNKNOWN,
    ReceiptState.ENROUTE,
    ReceiptState.ACCEPTED,
    ReceiptState.OTHER,
)


def reachable(state):
    """Return every state that the table leads to from this one, itself included."""
    found, new = {state}, {state}
    while new:
        new = {after for one in new for after in TRANSITIONS[one].values()} - found
        found |= new
    return found


class Walk:
    """One walk: takes the next step that two numbers choose, and checks after each that nothing is wrong."""

    def __init__(self, world: StoreHarness) -> None:
        self.world = world
        world.owner = "start-0"
        self.jobs: list[str] = []
        self.out: dict[int, tuple[str, str]] = {}
        self.forgotten: list[tuple[int, str, str]] = []
        self.named: list[tuple[str, str]] = []
        self.submitted: Counter = Counter()
        self.allowed: Counter = Counter()
        self.perhaps_taken: Counter = Counter()
        self.starts = 0
        self.before: dict[int, MessageState] = {}
        self.ended: dict[int, MessageState] = {}

    def add(self, a: int, b: int) -> None:
        added = self.world.add(
            *(f"4477009001{(a + n) % 5:02}" for n in range(1 + b % 3)),
            parts=1 + a % 3,
            receipt_wanted=bool(b % 4),
            digest=b"mail:" if a % 5 == 0 else b"",
            priority=Priority.EXPRESS if b % 7 == 0 else Priority.NORMAL,
            report=(StatusReport.ALWAYS, StatusReport.ON_FAILURE)[a % 4 == 3],
        )
        if not added.repeated:
            self.jobs.append(added.public_id)

    def take(self, a: int, b: int) -> None:
        carrier = CARRIERS[a % 3]
        for part in self.world.take(1 + b % 6, carrier):
            self.submitted[part.part_key] += 1
            self.out[part.part_key] = (carrier, self.world.owner)

    def answer(self, a: int, b: int) -> None:
        if not self.out:
            return
        key = sorted(self.out)[a % len(self.out)]
        carrier, owner = self.out.pop(key)
        kind = b % 6
        if kind == 2 or (kind == 4 and carrier == "generous"):
            self.allowed[key] += 1
        carrier_id = f"{carrier}-{key}-{self.submitted[key]}"
        outcome = (
            Done(reference=carrier_id),
            Done(reference=carrier_id),
            Retry(problem=BUSY),
            Failed(problem=WRONG),
            Unknown(problem=LOST),
            Done(reference=""),
        )[kind]
        self.perhaps_taken[key] += kind not in {2, 3}
        self.named.append((carrier, carrier_id))
        if b % 2:  # the receipt overtakes the answer
            self.receipt(len(self.named) - 1, a)
        self.world.settle((key, outcome), carrier=carrier, owner=owner)
        self.forgotten.append((key, carrier, owner))

    def late_answer(self, a: int, b: int) -> None:
        """Repeat the answer to a part that was answered, or that a crash took away."""
        if self.forgotten:
            key, carrier, owner = self.forgotten[a % len(self.forgotten)]
            if self.out.get(key) != (carrier, owner):
                late = (Done(reference=f"late-{key}"), Failed(problem=WRONG))[b % 2]
                self.named.append((carrier, f"late-{key}"))
                self.world.settle((key, late), carrier=carrier, owner=owner)

    def receipt(self, a: int, b: int) -> None:
        if self.named:
            carrier, carrier_id = self.named[a % len(self.named)]
            self.world.receipt(carrier_id, REPORTED[b % len(REPORTED)], carrier=carrier)

    def stray_receipt(self, a: int, b: int) -> None:
        self.world.receipt(f"stray-{a % 4}", REPORTED[b % len(REPORTED)], f"4477009001{a % 5:02}", CARRIERS[b % 3])

    def crash(self, a: int, b: int) -> None:
        for key, (carrier, owner) in self.out.items():
            self.forgotten.append((key, carrier, owner))
            self.perhaps_taken[key] += 1
            if carrier == "generous":
                self.allowed[key] += 1
        self.out.clear()
        self.starts += 1
        self.world.owner = f"start-{self.starts}"
        self.world.recover(owner=self.world.owner)

    def wait(self, a: int, b: int) -> None:
        self.world.sweep(timedelta(minutes=(1, 5, 30, 70)[a % 4]))

    def administer(self, a: int, b: int) -> None:
        if self.jobs:
            action = (self.world.cancel, self.world.hold, self.world.release)[b % 3]
            action(self.jobs[a % len(self.jobs)])

    def check(self) -> None:
        messages = self.world.messages()
        id_missing = {message.key for message in messages if message.id_missing}
        not_counted = Counter(message.job_key for message in messages if not message.ended)
        told = Counter((notice.job_key, notice.kind) for notice in self.world.outbox_rows())
        for job in self.world.jobs():
            left = job.open_messages
            results, corrections = told[job.key, "result"], told[job.key, "correction"]
            assert left == not_counted[job.key]
            assert (job.settled_at is not None) == (left == 0)
            if job.report == StatusReport.ALWAYS:
                assert results == (left == 0)
            assert results <= 1
            assert corrections <= (left == 0)
        for part in self.world.parts():
            assert MessageState(part.state) in reachable(self.before.get(part.key, MessageState.QUEUED))
            self.before[part.key] = MessageState(part.state)
            owes_its_id = part.state in {"submitted", "unknown"} or (part.state == "queued" and part.resends > 0)
            if owes_its_id and not part.carrier_id:
                assert part.message_key in id_missing  # the index leaves out only messages whose ids are all there
        for message in messages:
            key, state = message.key, MessageState(message.state)
            assert is_final(state, receipt_expected=bool(message.receipt_wanted)) == bool(message.ended)
            if key in self.ended:
                assert message.ended
                assert state in reachable(self.ended[key])
            if message.ended:
                self.ended[key] = state
        for key, times in self.submitted.items():
            assert times <= 1 + self.allowed[key]
            assert self.perhaps_taken[key] <= 1 + RESENDS

    def finish(self) -> None:
        """Answer everything, let all time pass: every job must have settled."""
        self.crash(0, 0)
        for _ in range(4):  # the validity, then the grace of receipts, then what was looked at a minute before
            self.world.sweep(timedelta(hours=1))
        self.check()
        assert self.world.jobs(settled_at=None) == []
        assert self.world.messages(ended=False) == []


STEPS = (
    *(Walk.add, Walk.take, Walk.answer, Walk.answer, Walk.answer, Walk.late_answer, Walk.receipt, Walk.receipt),
    *(Walk.stray_receipt, Walk.crash, Walk.wait, Walk.administer),
)
NUMBERS = st.integers(0, 1000)


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, RULES)
    yield world
    world.database.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(STEPS), NUMBERS, NUMBERS), min_size=5, max_size=40))
def test_whatever_happens_every_job_settles_once_and_nothing_is_sent_twice_unasked(world, steps):
    world.database.write_now(empty, None)
    walk = Walk(world)
    walk.add(1, 1)
    walk.add(2, 5)
    walk.take(0, 5)
    for step, a, b in steps:
        step(walk, a, b)
        walk.check()
    walk.finish()
