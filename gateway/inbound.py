"""Inbound SMS: what is kept is joined, decided, and done in one transaction each, many of them in one commit.

A worker looks when a fragment was kept, and once a second for texts whose time is over. What fails stays kept, is tried
again, and holds up nothing else. Not here: taking fragments from carriers (receive), deciding (inbound.planning), the
daily lists (inbound_lists).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from addressbook.numbers import JOIN_WITHIN
from gateway import alert_texts
from gateway.alerts import Alert
from gateway.directory import DirectoryFollower
from gateway.inbound_effects import follow, own_number_of
from gateway.ports import Clock
from gateway.routing import CarrierRoutes
from gateway.worker import Worker
from inbound.effects import TellOperator
from inbound.joining import BOUNDS, Bounds, JoinedText, KeptFragment, TextName, TextWithGap, join
from inbound.planning import Past, plan_inbound
from inbound.sms import InboundSms
from sms.message import InboundFragment
from sms.number import mask_number
from sms.retry import Ladder
from store.engine.database import Database, StorageError, Transaction
from store.engine.keys import PublicIds, node_of, to_stored
from store.inbound import (
    InboundStore,
    NewInbound,
    StoredInbound,
    find_repeated,
    forget_answers,
    read_fragments,
    read_gaps,
)
from store.inbound_past import ANSWERS_KEPT, read_past
from store.outbox import NewRow

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_MOST_AT_ONCE: Final = 500
# So long what another node completed is left to it: it was told at once.
_LEFT_TO_OTHERS: Final = timedelta(seconds=5)
_AGAIN: Final = Ladder.of_seconds(1, 10, 60, 300, 900)
_TOLD_AFTER: Final = 2
_FORGET_EVERY: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetAside:
    """A text that failed so many times, and when it is tried again."""

    failures: int
    again_at: datetime


class Inbound:
    """The worker. `written` is called when a row of the outbox was stored, `accepted` when a job was.

    `row_of` makes an alert a row of the outbox, None where nobody is told; `alert` tells of what has no transaction.
    `node` is this process's, None where it has the database alone.
    """

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        store: InboundStore,
        book: DirectoryFollower,
        routes: CarrierRoutes,
        clock: Clock,
        row_of: Callable[[Alert], NewRow | None],
        alert: Callable[[Alert], None],
        written: Callable[[], None],
        accepted: Callable[[], None],
        node: int | None = None,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._database = database
        self._store = store
        self._book = book
        self._routes = routes
        self._clock = clock
        self._row_of = row_of
        self._alert = alert
        self._written = written
        self._accepted = accepted
        self._node = node
        self._bounds = bounds
        self._ids = PublicIds()
        self._set_aside: dict[int, _SetAside] = {}
        self._forgotten_at: datetime | None = None
        self._stopping = False
        self._worker = Worker("inbound", self.step, look_every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    def kick(self) -> None:
        """Say that a fragment was kept."""
        self._worker.kick()

    async def stop(self) -> None:
        """End after the transaction that is under way."""
        self._stopping = True
        await self._worker.stop()

    async def step(self) -> bool:
        """Handle what is whole or was waited for long enough; returns whether there may be more."""
        now = self._clock.now()
        limit = self._bounds.in_all + _MOST_AT_ONCE
        kept, gaps = await self._database.read(partial(_read, limit=limit, now=now))
        texts = join(kept, now=now, wait_for=self._wait_for, gaps=gaps, is_all=len(kept) < limit, bounds=self._bounds)
        self._forget_set_aside(texts)
        due = await self._without_repeated([text for text in texts if self._is_due(text, now)], now)
        for batch in _batches(due):
            if self._stopping:
                return False
            await self._handle(batch)
        await self._forget_answers(now)
        return len(kept) == limit and bool(due)

    def _wait_for(self, fragment: InboundFragment) -> timedelta:
        number = self._book.current.numbers.reached_by(fragment.destination, fragment.carrier)
        return number.join_within if number is not None else JOIN_WITHIN

    def _is_due(self, text: JoinedText, now: datetime) -> bool:
        aside = self._set_aside.get(text.first.key)
        if aside is not None:
            return now >= aside.again_at
        last = max(text.fragments, key=lambda kept: kept.key)
        is_others = self._node is not None and node_of(last.key) != self._node
        return not is_others or not timedelta(0) <= now - last.received_at < _LEFT_TO_OTHERS

    async def _without_repeated(self, texts: list[JoinedText], now: datetime) -> list[JoinedText]:
        """Drop what a carrier delivered again of a text that is whole and went out."""
        if not any(text.missing for text in texts):
            return texts
        doubtful = [text for text in texts if text.missing]
        repeated = await self._database.read(partial(find_repeated, texts=doubtful, now=now))
        if repeated:
            await asyncio.gather(*(self._database.write(self._store.drop, text) for text in repeated))
            log.info("inbound_repeated", texts=len(repeated))
        return [text for text in texts if text not in repeated]

    async def _handle(self, batch: list[JoinedText]) -> None:
        """Store texts, no two of one handset, with all that follows from each."""
        while batch:
            now = self._clock.now()
            phones = [_phone_of(text) for text in batch]
            past = await self._database.read(partial(read_past, phones=phones, now=now))
            prepared = []
            for text in batch:
                item = self._prepare(text, past[_phone_of(text)], now)
                prepared += [item] if item is not None else []
                await asyncio.sleep(0)  # the loop serves others between two SMS
            writes = (self._database.write(self._store.keep, item) for item in prepared)
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            batch = []
            unstored: StorageError | None = None
            for item, outcome in zip(prepared, outcomes, strict=True):
                if outcome is StoredInbound.STALE:
                    batch.append(item.text)
                elif outcome is StoredInbound.STORED:
                    self._tell(item)
                elif isinstance(outcome, StorageError):
                    unstored = outcome  # the database takes nothing: no SMS is to blame
                elif isinstance(outcome, Exception):
                    self._fail(item.text, outcome)
            if unstored is not None:
                raise unstored
            if batch:
                await self._book.refresh()

    def _prepare(self, text: JoinedText, past: Past, now: datetime) -> NewInbound | None:
        """Decide what follows from a text; one that can't be decided is set aside."""
        snapshot, rules = self._book.current, self._book.rules
        try:
            plan = plan_inbound(_sms(text, self._ids.take("I", now)), snapshot, rules, past)
            untold = [effect.reason for effect in plan.effects if isinstance(effect, TellOperator)]
            alerts = [self._row_of(alert_texts.inbound_reaches_nobody(plan.sms, reason)) for reason in untold]
            return NewInbound(
                text=text,
                plan=plan,
                version=snapshot.version,
                handled_at=now,
                own_number=own_number_of(plan),
                effects=tuple(follow(plan, snapshot, self._routes, now)),
                alerts=tuple(alert for alert in alerts if alert is not None),
            )
        except Exception as error:  # noqa: BLE001 - one SMS must not stop the others
            self._fail(text, error)
            return None

    def _fail(self, text: JoinedText, error: Exception) -> None:
        """Set a text aside that can't be handled now; it stays kept."""
        before = self._set_aside.get(text.first.key)
        failures = before.failures + 1 if before is not None else 1
        again_at = self._clock.now() + _AGAIN.wait(failures)
        self._set_aside[text.first.key] = _SetAside(failures=failures, again_at=again_at)
        cause = f"{type(error).__name__}: {error}"[:300]
        fragment = text.first.key
        log.error("inbound_failed", fragment=fragment, failures=failures, cause=cause, exc_info=error)
        if failures == _TOLD_AFTER:
            self._alert(alert_texts.inbound_fails(text.first.fragment, fragment, cause))

    def _forget_set_aside(self, texts: Sequence[JoinedText]) -> None:
        if self._set_aside:
            there = {text.first.key for text in texts}
            self._set_aside = {key: aside for key, aside in self._set_aside.items() if key in there}

    def _tell(self, item: NewInbound) -> None:
        plan = item.plan
        if any(effect.row is not None for effect in item.effects) or item.alerts:
            self._written()
        if any(effect.job is not None for effect in item.effects):
            self._accepted()
        log.info(
            "inbound_handled",
            sms=plan.sms.public_id,
            carrier=plan.sms.carrier,
            source=mask_number(plan.sms.source),
            customer=plan.customer.name if plan.customer is not None else "",
            reason=plan.route.untold.value if plan.route.untold is not None else "",
            fragments=len(item.text.fragments),
            missing=len(plan.sms.missing),
            effects=len(item.effects),
        )

    async def _forget_answers(self, now: datetime) -> None:
        if self._forgotten_at is None or abs(now - self._forgotten_at) >= _FORGET_EVERY:
            self._forgotten_at = now
            await self._database.write(forget_answers, to_stored(now - ANSWERS_KEPT))


def _read(tx: Transaction, limit: int, now: datetime) -> tuple[list[KeptFragment], dict[TextName, TextWithGap]]:
    kept = read_fragments(tx, limit)
    return kept, read_gaps(tx, now) if any(one.fragment.total > 1 for one in kept) else {}


def _phone_of(text: JoinedText) -> str:
    return text.first.text_name[0]


def _sms(text: JoinedText, public_id: str) -> InboundSms:
    first = text.first
    return InboundSms(
        public_id=public_id,
        carrier=first.fragment.carrier,
        source=first.fragment.source,
        destination=first.fragment.destination,
        text=text.text,
        received_at=first.received_at,
        total=first.fragment.total,
        missing=text.missing,
        late=text.late.sms if text.late is not None else None,
    )


def _batches(texts: Sequence[JoinedText]) -> Iterator[list[JoinedText]]:
    """Yield texts a few hundred at a time, no two of one handset at once: what one does counts for the next."""
    by_phone: dict[str, deque[JoinedText]] = defaultdict(deque)
    for text in texts:
        by_phone[_phone_of(text)].append(text)
    waiting = list(by_phone.values())
    while waiting:
        for start in range(0, len(waiting), _MOST_AT_ONCE):
            yield [texts_of_one.popleft() for texts_of_one in waiting[start : start + _MOST_AT_ONCE]]
        waiting = [texts_of_one for texts_of_one in waiting if texts_of_one]
