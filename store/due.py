"""Parts out: what a carrier has room for is taken from the queue, and becomes a row when it is first offered.

Not here: jobs in (jobs), what answers, receipts and crashes change (results).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct

from sms.lifecycle import MessageState
from sms.message import Alphabet, PartToSubmit, Priority, Shifts
from sms.number import MobileNumber, parse_sender_id
from sms.parameters import thaw_parameters
from sms.parts import parts_again
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, to_instant
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.serialise import end_of_blackout, thaw_lengths
from store.stop_list import find_blocked
from store.tables import MessageRow, PartRow

_LOOK_FURTHER = 500
_PARTS = Insert(PartRow)
_TAKEN_MESSAGES = Update(MessageRow, "owner", "updated_at", also="state = 'submitting', attempts = attempts + 1")
_TAKEN_AGAIN = Update(PartRow, "carrier", "cost_label", also="state = 'submitting'")
_POSTPONED = Update(MessageRow, "due_at")
_sender_id = lru_cache(maxsize=256)(parse_sender_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A carrier's request for parts: no more than `most_parts`, from these routes; `now` is in microseconds.

    `cost_label` is what the operator's file says of the carrier's cost, and is kept with each part that it takes.
    `whole_texts` says that it splits texts itself: a text of which nobody has a part yet is given as one part.
    """

    carrier: str
    routes: tuple[str, ...]
    most_parts: int
    now: int
    owner: str
    cost_label: str = ""
    whole_texts: bool = False


class _Due(Struct, frozen=True, array_like=True):
    """A message that may go out."""

    key: int
    public_id: str
    number: str
    sender: str
    body: str
    alphabet: Alphabet
    part_count: int
    part_lengths: str
    reference: int
    wide_reference: bool
    priority: int
    flash: bool
    receipt_wanted: bool
    expires_at: int
    blackouts: str | None
    parameters: str
    locking_shift: int
    single_shift: int
    udh: str
    attempts: int
    has_stop: bool


class _Begun(Struct, frozen=True, array_like=True):
    """A part that a carrier was offered already."""

    message_key: int
    idx: int
    key: int
    state: MessageState


_DUE = query(
    _Due,
    "FROM message WHERE state = 'queued' AND route = ? AND priority = ? AND due_at <= ? AND expires_at > ?"
    " ORDER BY due_at, key LIMIT ? FOR UPDATE SKIP LOCKED",
    # Never as EXISTS: PostgreSQL may then read all entries there are.
    has_stop="(SELECT 1 FROM stop_entry s WHERE s.number = message.number AND s.ended_at IS NULL LIMIT 1) IS NOT NULL",
)
# Not ordered: see store.message_update.
_BEGUN = query(_Begun, "FROM part WHERE message_key IN (??)")


def take_due(tx: Transaction, keys: Keys, take: Take, blocked: set[int]) -> list[PartToSubmit]:
    """Return parts for one carrier and mark them `submitting`, express first, then by due time.

    Whole messages, except where the first alone has more parts than there is room. Messages that a stop list blocks are
    left alone and added to `blocked`.
    """
    taken: list[PartToSubmit] = []
    for urgency in (0, 1):
        for route in take.routes:
            room = take.most_parts - len(taken)
            if room <= 0:
                return taken
            messages = _due(tx, take, route, urgency, room, blocked)
            taken += _take_parts(tx, keys, take, messages, room=room, allow_partial=not taken)
    return taken


def _take_parts(  # noqa: PLR0913 - one private step of `take_due`, split for reading
    tx: Transaction, keys: Keys, take: Take, messages: list[_Due], *, room: int, allow_partial: bool
) -> list[PartToSubmit]:
    begun: dict[int, dict[int, _Begun]] = {}
    for part in tx.select_in(_Begun, _BEGUN, [message.key for message in messages if message.attempts]):
        begun.setdefault(part.message_key, {})[part.idx] = part
    taken: list[PartToSubmit] = []
    taken_messages: list[Row] = []
    new: list[Row] = []
    again: list[Row] = []
    for message in messages:
        stored = begun.get(message.key, {})
        waiting = list(range(1, message.part_count + 1))
        if stored:
            waiting = [at for at in waiting if at not in stored or stored[at].state is MessageState.QUEUED]
        whole = take.whole_texts and 1 < message.part_count == len(waiting)
        if len(taken) + (1 if whole else len(waiting)) > room:
            if taken or not allow_partial:
                break
            waiting = waiting[:room]
        part_keys = {index: stored[index].key if index in stored else keys.take() for index in waiting}
        for index, key in part_keys.items():
            if index in stored:
                again.append(_TAKEN_AGAIN.row(carrier=take.carrier, cost_label=take.cost_label, key=key))
            else:
                new.append(_new_part(take, message, index, key))
        taken_messages.append(_TAKEN_MESSAGES.row(owner=take.owner, updated_at=take.now, key=message.key))
        taken += _parts_to_submit(message, part_keys, whole=whole)
    tx.update(_TAKEN_MESSAGES, taken_messages)
    tx.insert(_PARTS, new)
    tx.update(_TAKEN_AGAIN, again)
    return taken


def _new_part(take: Take, message: _Due, index: int, key: int) -> Row:
    return _PARTS.row(
        key=key,
        message_key=message.key,
        idx=index,
        state=MessageState.SUBMITTING.value,
        carrier=take.carrier,
        cost_label=take.cost_label,
    )


def _due(  # noqa: PLR0913, PLR0917 - one private step of `take_due`, split for reading
    tx: Transaction, take: Take, route: str, urgency: int, room: int, blocked: set[int]
) -> list[_Due]:
    """Return messages that may go out now; those in a blackout are put off to its end, and others looked for."""
    while True:
        found = tx.select(_Due, _DUE, (route, urgency, take.now, take.now, room + len(blocked)))
        messages = [message for message in found if message.key not in blocked]
        postponed = [
            _POSTPONED.row(due_at=end, key=message.key)
            for message in messages
            if message.blackouts and (end := end_of_blackout(message.blackouts, take.now))
        ]
        newly_blocked = find_blocked(tx, [message.key for message in messages if message.has_stop])
        if not postponed and not newly_blocked:
            return messages[:room]
        tx.update(_POSTPONED, postponed)
        blocked |= newly_blocked
        room = max(room, _LOOK_FURTHER)


def _parts_to_submit(message: _Due, keys: Mapping[int, int], *, whole: bool) -> list[PartToSubmit]:
    """Return the parts of these keys, by index; or all of them as one without header, by the key of the first."""
    lengths = [len(message.body)] if whole else thaw_lengths(message.body, message.part_lengths)
    reference = message.reference if message.wide_reference else message.reference & 0xFF
    shifts = Shifts(message.locking_shift, message.single_shift)
    parts = parts_again(
        message.body,
        message.alphabet,
        lengths,
        reference,
        wide=message.wide_reference,
        shifts=shifts,
        udh=bytes.fromhex(message.udh),
    )
    number = MobileNumber(digits=message.number)
    expires_at = to_instant(message.expires_at)
    sender = _sender_id(message.sender) if message.sender else None
    parameters = thaw_parameters(message.parameters) if message.parameters else ()
    return [
        PartToSubmit(
            part_key=keys[index],
            message_key=message.key,
            message_id=message.public_id,
            number=number,
            sender=sender,
            alphabet=message.alphabet,
            udh=b"" if whole else part.udh,
            payload=part.payload,
            index=index,
            total=message.part_count,
            reference=reference if part.udh else 0,
            priority=Priority.NORMAL if message.priority else Priority.EXPRESS,
            flash=message.flash,
            receipt_wanted=message.receipt_wanted,
            expires_at=expires_at,
            parameters=parameters,
            shifts=shifts,
        )
        for index, part in enumerate(parts, 1)
        if index in keys
    ]
