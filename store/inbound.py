"""Inbound SMS: fragments as they arrive, and, in one transaction, a joined SMS with everything that follows from it.

Not here: what follows (inbound.planning), who wrote to a handset (inbound_past), views for people (inbound_views).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from inbound.effects import Effect, StartEffect, StopEffect, describe
from inbound.joining import LATE_WITHIN, JoinedText, KeptFragment, TextName, TextWithGap, text_name
from inbound.planning import InboundPlan
from inbound.sms import LatePart
from inbound.stop_list import StopEntry, StopOrigin
from inbound.words import fold
from sms.job import NewJob
from sms.message import InboundFragment
from sms.report import Channel
from store.directory import read_version
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, to_instant, to_stored
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.inbound_tables import AutomaticAnswerRow, ConversationRow, InboundEffectRow, InboundSmsRow
from store.jobs import Outbound
from store.outbox import OUTBOX, NewRow, Outbox, new_row
from store.stop_list import add_stops, end_stops
from store.tables import InboundFragmentRow

_Place = tuple[int, str, str]
"""Customer, handset and own number of a conversation."""
MAIL_ID: Final = "in."
"""What precedes the id of a row in the Message-ID of its mail."""
_FRAGMENTS = Insert(InboundFragmentRow)
_SMS = Insert(InboundSmsRow)
_EFFECTS = Insert(InboundEffectRow)
_ANSWERS = Insert(AutomaticAnswerRow)
_CONVERSATIONS = Insert(ConversationRow, if_new=True)
_CONVERSED = Update(ConversationRow, "last_mail_id", "used_at")
_AWAITED = Update(InboundSmsRow, "awaited")
_MOST_GAPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedFragment:
    """One fragment and when it came, in microseconds."""

    fragment: InboundFragment
    at: int


class _Fragment(Struct, frozen=True, array_like=True):
    key: int
    carrier: str
    source: str
    destination: str
    body: str
    reference: int | None
    idx: int
    total: int
    received_at: int


class _Gap(Struct, frozen=True, array_like=True):
    key: int
    source: str
    destination: str
    reference: int
    total: int
    awaited: str
    customer_key: int
    keyword: str


class _StoredConversation(Struct, frozen=True, array_like=True):
    key: int
    customer_key: int
    phone: str
    own_number: str
    last_mail_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEffect:
    """One effect of an inbound SMS, and what it makes: a row of the outbox or a job."""

    effect: Effect
    row: NewRow | None = None
    job: NewJob | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbound:
    """A joined text with its plan, to be stored in place of its fragments.

    It is stored only under the directory's `version` that decided it. `own_number` names its conversation, empty where
    there is none. `alerts` tell the operator.
    """

    text: JoinedText
    plan: InboundPlan
    version: int
    handled_at: datetime
    own_number: str = ""
    effects: tuple[NewEffect, ...] = ()
    alerts: tuple[NewRow, ...] = ()


class StoredInbound(StrEnum):
    """What became of a new inbound SMS: only `STORED` stored anything.

    `STALE`: the directory moved; plan again. `TAKEN`: another node was faster.
    """

    STORED = "stored"
    STALE = "stale"
    TAKEN = "taken"


class InboundStore:
    """The statements of inbound SMS; its methods with lists are batch functions for `Database.write`."""

    def __init__(self, keys: Keys, outbound: Outbound) -> None:
        self._keys = keys
        self._outbound = outbound
        self._outbox = Outbox(keys)

    def add_fragments(self, tx: Transaction, arrived: list[ArrivedFragment]) -> list[int]:
        """Store fragments; returns their keys."""
        keys = [self._keys.take() for _ in arrived]
        tx.insert(
            _FRAGMENTS,
            [
                _FRAGMENTS.row(
                    key=key,
                    carrier=item.fragment.carrier,
                    source=item.fragment.source,
                    destination=item.fragment.destination,
                    body=item.fragment.text,
                    reference=item.fragment.reference,
                    idx=item.fragment.index,
                    total=item.fragment.total,
                    received_at=item.at,
                )
                for key, item in zip(keys, arrived, strict=True)
            ],
        )
        return keys

    def drop(self, tx: Transaction, texts: list[JoinedText]) -> list[None]:
        """Delete the fragments of texts that a carrier delivered again."""
        tx.rows_in(_DELETE, {key for text in texts for key in text.keys})
        return [None] * len(texts)

    def keep(self, tx: Transaction, items: list[NewInbound]) -> list[StoredInbound]:
        """Store inbound SMS, no two of one handset, with all that follows, in place of their fragments."""
        # A row that another node holds is left out, not waited for: it is being handled there.
        there = {key for (key,) in tx.rows_in(_LOCKED, {key for item in items for key in item.text.keys})}
        version = read_version(tx)
        kept = []
        for item in items:
            keys = set(item.text.keys)
            outcome = (
                StoredInbound.TAKEN
                if not keys <= there
                else StoredInbound.STALE
                if item.version != version
                else StoredInbound.STORED
            )
            there -= keys
            kept.append(outcome)
        new = [item for item, outcome in zip(items, kept, strict=True) if outcome is StoredInbound.STORED]
        if new:
            self._store(tx, new)
            tx.rows_in(_DELETE, {key for item in new for key in item.text.keys})
        return kept

    def _store(self, tx: Transaction, new: Sequence[NewInbound]) -> None:
        jobs = [effect.job for item in new for effect in item.effects if effect.job is not None]
        ids = iter([added.public_id for added in self._outbound.add_jobs(tx, jobs)] if jobs else [])
        conversations = self._conversations(tx, new)
        rows = _InboundRows()
        for item in new:
            self._add(item, conversations, ids, rows)
        tx.insert(_SMS, rows.sms)
        tx.insert(_EFFECTS, rows.effects)
        tx.insert(OUTBOX, rows.outbox)
        tx.insert(_ANSWERS, rows.answers)
        tx.update(_CONVERSED, rows.conversed)
        tx.update(_AWAITED, rows.awaited)
        for alert in (alert for item in new for alert in item.alerts):
            self._outbox.add(tx, [alert])
        self._stop(tx, new)

    def _add(
        self,
        item: NewInbound,
        conversations: Mapping[_Place, _StoredConversation],
        ids: Iterator[str],
        rows: "_InboundRows",
    ) -> None:
        plan, key, now = item.plan, self._keys.take(), to_stored(item.handled_at)
        place = _place(item)
        conversation = conversations.get(place) if place is not None else None
        rows.sms.append(_sms_row(key, item, conversation))
        first_mail = ""
        for new in item.effects:
            outbox_key = None
            if new.row is not None:
                outbox_key = self._keys.take()
                row = replace(new.row, sms_key=key)
                if conversation is not None and row.channel is Channel.MAIL:
                    thread: dict[str, str | int] = {"thread": conversation.key, "previous": conversation.last_mail_id}
                    row = replace(row, about={**row.about, **thread})
                    first_mail = first_mail or f"{MAIL_ID}{row.prefix}.{outbox_key}"
                rows.outbox.append(new_row(outbox_key, row))
            facts = describe(new.effect)
            job_id = next(ids) if new.job is not None else ""
            rows.effects.append(
                _EFFECTS.row(
                    key=self._keys.take(),
                    sms_key=key,
                    action_key=facts.action.key if facts.action is not None else None,
                    kind=facts.kind.value,
                    target=facts.target,
                    note=new.note or facts.note,
                    outbox_key=outbox_key,
                    job_id=job_id,
                )
            )
            if job_id and plan.customer is not None:
                rows.answers.append(
                    _ANSWERS.row(
                        key=self._keys.take(),
                        phone=plan.sms.phone,
                        customer_key=plan.customer.key,
                        kind=facts.kind.value,
                        at=now,
                    )
                )
        if conversation is not None:
            mail_id = first_mail or conversation.last_mail_id
            rows.conversed.append(_CONVERSED.row(last_mail_id=mail_id, used_at=now, key=conversation.key))
        if item.text.late is not None:
            came = {one.fragment.index for one in item.text.fragments}
            awaited = _places(sorted(item.text.late.awaited - came))
            rows.awaited.append(_AWAITED.row(awaited=awaited, key=item.text.late.sms.sms_key))

    def _conversations(self, tx: Transaction, new: Sequence[NewInbound]) -> dict[_Place, _StoredConversation]:
        """Return the conversations of SMS, by place; new ones are begun."""
        places = {place: item for item in new if (place := _place(item)) is not None}
        found = _read_conversations(tx, places)
        if missing := [place for place in places if place not in found]:
            rows = [
                _CONVERSATIONS.row(
                    key=self._keys.take(),
                    customer_key=customer_key,
                    phone=phone,
                    own_number=own_number,
                    used_at=to_stored(places[customer_key, phone, own_number].handled_at),
                )
                for customer_key, phone, own_number in missing
            ]
            tx.insert(_CONVERSATIONS, rows)
            found = _read_conversations(tx, places)  # another node may have begun one
        return found

    def _stop(self, tx: Transaction, new: Sequence[NewInbound]) -> None:
        """Change stop lists; last, since the first entry of a customer is a change of the address book."""
        stops: list[StopEntry] = []
        for item in new:
            if (customer := item.plan.customer) is None:
                continue
            phone, evidence = item.plan.sms.phone, item.plan.sms.public_id
            for effect in item.plan.effects:
                if isinstance(effect, StopEffect):
                    stops.append(
                        StopEntry(
                            customer_key=customer.key,
                            number=phone,
                            origin=StopOrigin.SMS,
                            added_at=item.handled_at,
                            service=effect.service,
                            evidence=evidence,
                            word=effect.word,
                        )
                    )
                elif isinstance(effect, StartEffect):
                    end_stops(tx, customer.key, [phone], now=to_stored(item.handled_at), by=evidence)
        if stops:
            add_stops(tx, self._keys, stops, to_stored(max(item.handled_at for item in new)))


class _InboundRows:
    """Rows of one batch, by table."""

    def __init__(self) -> None:
        self.sms: list[Row] = []
        self.effects: list[Row] = []
        self.outbox: list[Row] = []
        self.answers: list[Row] = []
        self.conversed: list[Row] = []
        self.awaited: list[Row] = []


def read_fragments(tx: Transaction, limit: int) -> list[KeptFragment]:
    """Return fragments that wait, the oldest first."""
    return [
        KeptFragment(
            key=row.key,
            fragment=InboundFragment(
                carrier=row.carrier,
                source=row.source,
                destination=row.destination,
                text=row.body,
                reference=row.reference,
                index=row.idx,
                total=row.total,
            ),
            received_at=to_instant(row.received_at),
        )
        for row in tx.select(_Fragment, _WAITING, (limit,))
    ]


def read_gaps(tx: Transaction, now: datetime) -> dict[TextName, TextWithGap]:
    """Return texts of customers that went out with a gap and whose late fragments are still waited for, by name."""
    gaps: dict[TextName, TextWithGap] = {}
    for row in tx.select(_Gap, _GAPS, (to_stored(now - LATE_WITHIN), _MOST_GAPS)):
        name = text_name(row.source, row.destination, row.reference, row.total)
        late = LatePart(sms_key=row.key, customer_key=row.customer_key, keyword=fold(row.keyword))
        awaited = frozenset(int(place) for place in row.awaited.split(","))
        gaps.setdefault(name, TextWithGap(sms=late, text_name=name, awaited=awaited))
    return gaps


def find_repeated(tx: Transaction, texts: Iterable[JoinedText], now: datetime) -> list[JoinedText]:
    """Return those texts with gaps all of which stands in an SMS of the last day: their carrier said it again."""
    found = []
    for text in texts:
        phone, own_number, reference, total = text.first.text_name
        values = (phone, reference, total, to_stored(now - LATE_WITHIN), f"+{own_number}", own_number)
        if any(text.repeats(body) for (body,) in tx.rows(_BODIES, values)):
            found.append(text)
    return found


def forget_answers(tx: Transaction, before: list[int]) -> list[int]:
    """Delete automatic answers of before some instants, in microseconds; returns how many."""
    return [tx.execute("DELETE FROM automatic_answer WHERE at < ?", (instant,)) for instant in before]


def _place(item: NewInbound) -> _Place | None:
    customer = item.plan.customer
    return (customer.key, item.plan.sms.phone, item.own_number) if customer is not None else None


def _read_conversations(tx: Transaction, places: Iterable[_Place]) -> dict[_Place, _StoredConversation]:
    rows = tx.select_in(_StoredConversation, _CONVERSATIONS_OF, {phone for _, phone, _ in places})
    return {(row.customer_key, row.phone, row.own_number): row for row in rows}


def _places(places: Iterable[int]) -> str:
    return ",".join(map(str, places))


def _sms_row(key: int, item: NewInbound, conversation: _StoredConversation | None) -> Row:
    plan, sms, first = item.plan, item.plan.sms, item.text.first.fragment
    route, customer = plan.route, plan.customer
    return _SMS.row(
        key=key,
        public_id=sms.public_id,
        carrier=sms.carrier,
        source=sms.source,
        destination=sms.destination,
        phone=sms.phone,
        body=sms.text,
        shown=route.text,
        number_key=route.number.key if route.number is not None else None,
        customer_key=customer.key if customer is not None else None,
        customer=customer.name if customer is not None else "",
        keyword=plan.keyword.word if plan.keyword is not None else "",
        reason=route.untold.value if route.untold is not None else "",
        received_at=to_stored(sms.received_at),
        handled_at=to_stored(item.handled_at),
        reference=first.reference,
        total=sms.total,
        part_count=len(item.text.fragments),
        missing=_places(sms.missing),
        awaited=_places(sms.missing) if customer is not None else "",
        late_of=sms.late.sms_key if sms.late is not None else None,
        conversation_key=conversation.key if conversation is not None else None,
    )


_WAITING = query(_Fragment, "FROM inbound_fragment ORDER BY key LIMIT ?")
_LOCKED = "SELECT key FROM inbound_fragment WHERE key IN (??) ORDER BY key FOR UPDATE SKIP LOCKED"
_DELETE = "DELETE FROM inbound_fragment WHERE key IN (??) RETURNING key"
_GAPS = query(
    _Gap,
    "FROM inbound_sms WHERE awaited != '' AND customer_key IS NOT NULL AND handled_at > ?"
    " ORDER BY handled_at DESC LIMIT ?",
)
_BODIES = (
    "SELECT body FROM inbound_sms WHERE phone = ? AND reference = ? AND total = ? AND handled_at > ?"
    " AND destination IN (?, ?)"
)
_CONVERSATIONS_OF = query(_StoredConversation, "FROM conversation WHERE phone IN (??)")
