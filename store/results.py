"""What answers, receipts, time and administrators do to messages: each method is a batch function in one transaction.

The decisions are the tables of sms.lifecycle; here they are looked up and handed to store.message_update, which writes
them down and settles jobs. Not here: taking parts out of the queue (due), what one answer does (answers), whose receipt
one is (receipts).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sms.lifecycle import Event, MessageState
from sms.message import ReceiptState
from sms.outcome import Problem, ProblemCode, Unknown
from store.answers import (
    CANCELLED,
    CarrierAnswer,
    Rules,
    apply_answer,
    apply_late_answer,
    fail_over_undelivered,
    microseconds,
    put_back,
    submitted_together,
)
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.leases import check_alive, end_overdue
from store.message_update import LoadedMessage, LoadedPart, MessageWriter, load_messages, load_messages_of
from store.receipts import (
    Arrived,
    Fitted,
    Orphan,
    adopt,
    find_orphans,
    find_orphans_to,
    find_without_id,
    keep,
    name_parts,
    worth_keeping,
)
from store.recovery import Recovered, Recovery
from store.reported import name_part, report_part

_GRACE = timedelta(hours=1)
_SWEEP = 1_000
_RECOVER = 500
_EXPIRED = Problem(code=ProblemCode.VALIDITY_ENDED, text="The validity ended before a carrier took the message.")
_NO_RECEIPT = Problem(
    code=ProblemCode.NO_RECEIPT, text="The carrier accepted the message, and no delivery receipt came for it."
)
_CARRIER_CANCELLED = Problem(
    code=ProblemCode.CANCELLED, text="The carrier cancelled the message before it was delivered; it may still bill it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A request to cancel messages; `now` is in microseconds."""

    message_keys: tuple[int, ...]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierCancelled:
    """A part that its carrier cancelled; `at` is in microseconds."""

    part_key: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """An orphan that is of this part after all, which is called `carrier_id` from now on; `now` is in microseconds."""

    orphan: Orphan
    part_key: int
    carrier_id: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep came to: how many messages it looked at, the public ids of jobs that settled, notices written."""

    looked_at: int
    settled_jobs: tuple[str, ...]
    notices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one call changed, for the log: the message, its state now, and whether its job settled with it."""

    message_id: str = ""
    state: MessageState | None = None
    settled_job: str = ""
    notices: int = 0


class _Grace(dict[str, int]):
    """Microseconds after the validity's end in which a carrier's receipt may still come."""

    def __init__(self, rules: Rules) -> None:
        super().__init__({name: microseconds(grace) for name, grace in rules.receipt_grace.items()})

    def __missing__(self, carrier: str) -> int:
        return microseconds(_GRACE)


_Places = Mapping[int, tuple[LoadedMessage, LoadedPart]]


class ResultStore:
    """The statements of progress; its public methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys, rules: Rules) -> None:
        self._keys = keys
        self._rules = rules
        self._grace = _Grace(rules)
        self._writer = MessageWriter(keys, self._grace)

    def settle(self, tx: Transaction, answers: list[CarrierAnswer]) -> list[Progress]:
        """Take carriers' answers to parts that are `submitting`, or to which the carrier still owes one.

        An answer to any other part changes nothing.
        """
        messages = load_messages_of(tx, (answer.part_key for answer in answers))
        places = _places(messages)
        told: list[LoadedMessage | None] = []
        named: list[LoadedPart] = []
        nameless: list[tuple[LoadedMessage, LoadedPart]] = []
        for answer in answers:
            message, part = places.get(answer.part_key, (None, None))
            told.append(message)
            if message is None or part is None:
                continue
            if part.state is MessageState.SUBMITTING and answer.owner in ("", message.owner):
                apply = apply_answer
            elif part.id_missing and part.carrier == answer.carrier:
                apply = apply_late_answer
            else:
                continue
            for each in submitted_together(message, part, self._rules):
                apply(message, each, answer, self._rules)
            if part.carrier_id:
                named.append(part)
            elif part.id_missing:
                nameless.append((message, part))
        self._apply_early_receipts(tx, places, named)
        self._adopt_orphans(tx, nameless)
        notices = self._writer.save(tx, messages.values(), max(answer.at for answer in answers))
        return [_progress(message, notices) for message in told]

    def _apply_early_receipts(self, tx: Transaction, places: _Places, accepted: list[LoadedPart]) -> None:
        """Apply receipts that came before the answer that makes them fit."""
        parts = {(part.carrier, part.carrier_id): part.key for part in accepted}
        adopted = []
        for orphan in find_orphans(tx, {carrier_id for _, carrier_id in parts}):
            if (orphan.carrier, orphan.carrier_id) in parts:
                message, part = places[parts[orphan.carrier, orphan.carrier_id]]
                self._report(message, part, orphan)
                adopted.append((part.key, orphan.key))
        adopt(tx, adopted)

    def _report(self, message: LoadedMessage, part: LoadedPart, orphan: Orphan) -> None:
        if report_part(message, part, orphan, orphan.received_at, self._rules.whole_receipts):
            fail_over_undelivered(message, part, orphan.received_at, self._rules)

    def _adopt_orphans(self, tx: Transaction, nameless: list[tuple[LoadedMessage, LoadedPart]]) -> None:
        """Apply receipts that fitted nothing to parts whose answer told no id, where exactly one part fits."""
        numbers = {message.number for message, _ in nameless} - {""}
        orphans = find_orphans_to(tx, numbers)
        others = find_without_id(tx, numbers, min(orphan.received_at for orphan in orphans)) if orphans else {}
        adopted = []
        for orphan in orphans:
            fitting = [
                (message, part)
                for message, part in nameless
                if message.number == orphan.number
                and part.carrier == orphan.carrier
                and part.carrier_id in ("", orphan.carrier_id)
            ]
            keys = {part.key for _, part in fitting}
            if len(fitting) != 1 or any(key not in keys for key, _ in others.get((orphan.carrier, orphan.number), ())):
                continue
            message, part = fitting[0]
            # A message was last written when its part was taken: what came before that is no receipt of it.
            if message.updated_at <= orphan.received_at:
                name_part(message, part, orphan.carrier_id, orphan.received_at)
                self._report(message, part, orphan)
                adopted.append((part.key, orphan.key))
        adopt(tx, adopted)

    def report(self, tx: Transaction, arrived: list[Arrived]) -> list[Progress]:
        """Take receipts: each is written down, and moves the part it names; what fits nothing waits as an orphan.

        News that a carrier repeats without end is written down a few times only.
        """
        named = name_parts(tx, arrived, self._rules.whole_receipts)
        messages = load_messages(tx, (message_key for _, message_key in named if message_key))
        places = _places(messages)
        told: list[LoadedMessage | None] = []
        kept: list[Fitted] = []
        idle: list[Fitted] = []
        for item, (key, _) in zip(arrived, named, strict=True):
            receipt = item.receipt
            message, part = places.get(key, (None, None))
            other_id = part is not None and part.carrier_id not in ("", receipt.carrier_id)
            if part is not None and other_id and part.carrier == receipt.carrier:
                message = part = None  # another receipt, or the answer itself, was quicker to name this part
            told.append(message)
            if message is None or part is None:
                kept.append((item, None))
                continue
            moved = self._take_receipt(message, part, item)
            (kept if moved else idle).append((item, part.key))
        kept += worth_keeping(tx, idle) if idle else []
        keep(tx, self._keys, kept)
        notices = self._writer.save(tx, messages.values(), max(item.at for item in arrived))
        return [_progress(message, notices) for message in told]

    def _take_receipt(self, message: LoadedMessage, part: LoadedPart, item: Arrived) -> bool:
        """Return whether a receipt moved its part; of a carrier that gave the part back only «delivered» counts."""
        receipt = item.receipt
        if part.carrier != receipt.carrier:
            if receipt.state is not ReceiptState.DELIVERED:
                return False
        else:
            name_part(message, part, receipt.carrier_id, item.at)
        moved = report_part(message, part, receipt, item.at, self._rules.whole_receipts)
        if moved:
            fail_over_undelivered(message, part, item.at, self._rules)
        return moved

    def refit(self, tx: Transaction, found: list[Refit]) -> list[Progress]:
        """Apply orphans that were found to be of a part, oldest first."""
        messages = load_messages_of(tx, (item.part_key for item in found))
        places = _places(messages)
        told: list[LoadedMessage | None] = []
        for item in found:
            message, part = places.get(item.part_key, (None, None))
            told.append(message)
            if message is not None and part is not None:
                part.carrier_id = item.carrier_id
                part.changed = part.offered = message.changed = True
                self._report(message, part, item.orphan)
        adopt(tx, [(item.part_key, item.orphan.key) for item in found if item.part_key in places])
        notices = self._writer.save(tx, messages.values(), max(item.now for item in found))
        return [_progress(message, notices) for message in told]

    def sweep(self, tx: Transaction, nows: list[int]) -> list[Swept]:
        """End up to a thousand messages whose time is over; sweep again until none was looked at.

        What can't end yet, because a carrier still owes its answer, is looked at again a minute later.
        """
        return [self._sweep(tx, now) for now in nows]

    def _sweep(self, tx: Transaction, now: int) -> Swept:
        keys = [key for (key,) in tx.rows(_OVERDUE, (now, _SWEEP))]
        messages = load_messages(tx, keys)
        for message in messages.values():
            for part in message.parts:
                if part.state is MessageState.QUEUED and message.expires_at <= now:
                    message.end_waiting(part, Event.EXPIRE, _EXPIRED)
                elif part.state is MessageState.SUBMITTED and message.expires_at + self._grace[part.carrier] <= now:
                    message.move(part, Event.GIVE_UP_ON_RECEIPT, _NO_RECEIPT)
        notices = self._writer.save(tx, messages.values(), now)
        self._writer.watch(tx, messages.values(), now)
        return Swept(looked_at=len(keys), settled_jobs=_settled_jobs(messages), notices=notices)

    def cancel(self, tx: Transaction, requests: list[Cancel]) -> list[int]:
        """Cancel the parts of messages that no carrier was offered yet; returns how many messages that ended."""
        return [self._cancel(tx, request) for request in requests]

    def _cancel(self, tx: Transaction, request: Cancel) -> int:
        messages = load_messages(tx, request.message_keys)
        for message in messages.values():
            for part in message.parts:
                message.end_waiting(part, Event.CANCEL, CANCELLED)
        self._writer.save(tx, messages.values(), request.now)
        return sum(
            message.state is MessageState.CANCELLED and message.reported_state is not MessageState.CANCELLED
            for message in messages.values()
        )

    def carrier_cancelled(self, tx: Transaction, cancelled: list[CarrierCancelled]) -> list[Progress]:
        """Take a carrier's word that it will not deliver a part; one whose end is known already changes nothing."""
        messages = load_messages_of(tx, (item.part_key for item in cancelled))
        places = _places(messages)
        told: list[LoadedMessage | None] = []
        for item in cancelled:
            message, part = places.get(item.part_key, (None, None))
            if message is not None and part is not None:
                for each in submitted_together(message, part, self._rules):
                    message.move(each, Event.CARRIER_CANCELLED, _CARRIER_CANCELLED)
            told.append(message)
        notices = self._writer.save(tx, messages.values(), max(item.at for item in cancelled))
        return [_progress(message, notices) for message in told]

    def recover(self, tx: Transaction, requests: list[Recovery]) -> list[Recovered]:
        """Settle up to 500 messages that processes were submitting which live no more: by the carrier's rule.

        With SQLite that is everybody but the asking owner; with PostgreSQL those who have no lease (store.leases),
        except those of a node that lives again: only it knows what they handed to no link (gateway.handed). Or queue
        again what the asking owner took and does not hold. Raises LeaseLostError for a dead owner then.
        """
        return [self._recover(tx, request) for request in requests]

    def _recover(self, tx: Transaction, request: Recovery) -> Recovered:
        if request.problem is None:
            check_alive(tx, [request.owner])
            rows = tx.rows("SELECT key FROM message WHERE state = 'submitting' AND owner = ?", (request.owner,))
        else:
            if tx.postgresql:
                end_overdue(tx, request.owner)
            rows = tx.rows(_LEFT_BEHIND, (request.owner, request.owner, _RECOVER))
        messages = load_messages(tx, {key for (key,) in rows} - request.held)
        places = _places(messages).values()
        parts = [(message, part) for message, part in places if part.state is MessageState.SUBMITTING]
        for message, part in parts:
            if request.problem is None or request.was_never_handed(message.owner, message.key):
                put_back(message, part, None)
                continue
            lost = Unknown(problem=request.problem)
            answer = CarrierAnswer(part_key=part.key, carrier=part.carrier, outcome=lost, at=request.now)
            apply_answer(message, part, answer, self._rules)
        self._adopt_orphans(tx, [(message, part) for message, part in parts if part.id_missing])
        notices = self._writer.save(tx, messages.values(), request.now)
        return Recovered(parts=len(parts), notices=notices, settled_jobs=_settled_jobs(messages))


_OVERDUE = "SELECT key FROM message WHERE NOT ended AND watch_at <= ? ORDER BY watch_at LIMIT ? FOR UPDATE SKIP LOCKED"
_LEFT_BEHIND = (
    "SELECT key FROM message WHERE state = 'submitting' AND owner <> ?"
    " AND NOT EXISTS (SELECT 1 FROM node_lease l JOIN node_lease living ON living.node = l.node AND NOT living.ended"
    " WHERE l.owner = message.owner AND living.owner <> ?)"
    " LIMIT ? FOR UPDATE SKIP LOCKED"
)


def _places(messages: Mapping[int, LoadedMessage]) -> _Places:
    return {part.key: (message, part) for message in messages.values() for part in message.parts if part.key}


def _settled_jobs(messages: Mapping[int, LoadedMessage]) -> tuple[str, ...]:
    return tuple(message.settled_job for message in messages.values() if message.settled_job)


def _progress(message: LoadedMessage | None, notices: int) -> Progress:
    if message is None:
        return Progress()
    # Said once, however many parts of the message settled it together.
    settled, message.settled_job = message.settled_job, ""
    return Progress(message_id=message.public_id, state=message.state, settled_job=settled, notices=notices)
