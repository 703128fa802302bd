"""What an ESME asks about SMS that it submitted before, and what waits for ESMEs that are not there.

An ESME sees what its own login submitted, and nothing else. Not here: its submits (applications), the requests on the
wire (smpp.server.earlier).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from addressbook.senders import Principal
from gateway.cancel import CancelOrder, cancel_as
from gateway.directory import DirectoryFollower
from gateway.judging import judge_and_do
from gateway.ports import Clock
from gateway.replacing import NewText, Replacements
from gateway.routing import CarrierRoutes
from gateway.worker import Worker
from sms.lifecycle import MessageState
from sms.message import Alphabet
from sms.outcome import Refusal, Refused
from store.answers import Rules
from store.cancels import find_job_to_cancel
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_instant, to_stored
from store.esme import (
    KEPT,
    DropWaiting,
    EarlierMessage,
    Replacing,
    drop_waiting,
    find_open_to,
    find_submitted,
    find_submitted_text,
    replace_texts,
)
from store.results import ResultStore

log = structlog.get_logger()

_LOOK_EVERY = 60.0
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedSms:
    """What has become of an SMS; `changed_at` is when it came to its state, `alphabet` what it is written in."""

    state: MessageState
    ended: bool
    error: str
    reason: str
    changed_at: datetime
    alphabet: Alphabet


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundEsme:
    """A bind at this process: at which door, whose, as what (transmitter, receiver, transceiver), and from where."""

    door: str
    customer_key: int
    login: str
    kind: str
    client: str
    bound_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cancelling:
    principal: Principal
    message_id: str
    number: str
    source: str


class SubmittedMessages:
    """The use cases; `offering` are the carriers that offer cancelling, `written` is called when receipts follow."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        database: Database,
        keys: Keys,
        clock: Clock,
        book: DirectoryFollower,
        routes: CarrierRoutes,
        offering: frozenset[str],
        written: Callable[[], None],
    ) -> None:
        self._database = database
        self._book = book
        self._routes = routes
        self._keys = keys
        self._clock = clock
        self._offering = offering
        self._written = written
        self._progress = ResultStore(keys, Rules())

    async def find(self, principal: Principal, message_id: str, source: str) -> SubmittedSms | None:
        """Return an SMS by the id that its submit was answered with; of several recipients the first."""
        found = await self._database.read(partial(_find, principal=principal, message_id=message_id, source=source))
        return _shown(found[0]) if found else None

    async def cancel(self, principal: Principal, message_id: str, number: str, source: str) -> int:
        """Take SMS back: those of a submit, or without an id all open ones from a source to a number.

        Returns how many ended or were asked back from their carriers.
        """
        request = _Cancelling(principal=principal, message_id=message_id, number=number, source=source)
        count = await self._database.write(self._cancel_all, request)
        if count:
            self._written()
        return count

    def _cancel_all(self, tx: Transaction, requests: list[_Cancelling]) -> list[int]:
        return [self._cancel(tx, request) for request in requests]

    def _cancel(self, tx: Transaction, asked: _Cancelling) -> int:
        principal = asked.principal
        if asked.message_id:
            found = _find(tx, principal=principal, message_id=asked.message_id, source=asked.source)
        else:
            open_ones = find_open_to(tx, asked.number, principal.customer_id, principal.login)
            found = [one for one in open_ones if one.origin.source == asked.source]
        now = to_stored(self._clock.now())
        count = 0
        for job in dict.fromkeys(one.job_id for one in found):
            wanted = {one.key for one in found if one.job_id == job}
            known = find_job_to_cancel(tx, job)
            keys = tuple(key for key in (*known.waiting, *known.at_carriers(self._offering)) if key in wanted)
            if not keys:
                continue
            order = CancelOrder(who=principal.login, target=job, customer_key=principal.customer_id)
            done = cancel_as(tx, self._progress, self._keys, order, keys, now)
            count += done.ended + done.asked
        return count

    async def replace(self, principal: Principal, message_id: str, source: str, new: NewText) -> bool | Refused:
        """Replace the text of an SMS that no carrier was offered yet; False where it is too late, or there is none.

        Refused where a part, or the country of the recipient, does not take the text.
        """
        find = partial(_find, principal=principal, message_id=message_id, source=source)
        found = await self._database.read(find)
        if len(found) != 1 or found[0].begun or found[0].part_count != 1:
            return False
        sms = found[0]
        submitted = await self._database.read(partial(find_submitted_text, key=sms.key))
        if submitted is None:
            return False
        now = self._clock.now()

        async def judge() -> Replacing | Refused:
            snapshot = self._book.current
            customer = snapshot.directory.customer(principal.customer_id)
            if customer is None:
                return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED)
            return Replacements(snapshot, customer, self._routes, now).judge(sms, submitted, new)

        async def keep(judged: Replacing | Refused) -> bool | Refused:
            if isinstance(judged, Refused):
                return judged
            is_replaced: bool = await self._database.write(replace_texts, judged)
            return is_replaced

        return await judge_and_do(self._book, judge, keep, is_no=lambda judged: isinstance(judged, Refused))


def _find(tx: Transaction, *, principal: Principal, message_id: str, source: str) -> list[EarlierMessage]:
    if not (message_id.isascii() and message_id.isdecimal() and len(message_id) <= _MOST_DIGITS + 1):
        return []
    found = find_submitted(tx, int(message_id), principal.customer_id, principal.login)
    # §4.8.1: the source address must be that of the submit; clients that leave it out know the id all the same.
    return [one for one in found if source in ("", one.origin.source)]


def _shown(sms: EarlierMessage) -> SubmittedSms:
    return SubmittedSms(
        state=sms.state,
        ended=sms.ended,
        error=sms.error or "",
        reason=sms.reason,
        changed_at=to_instant(sms.updated_at),
        alphabet=sms.alphabet,
    )


class AbsentEsmes:
    """Drops what waited two days for a login that did not bind, or beyond what is kept for one."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.worker = Worker("absent-esmes", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Drop what is too old or too much; returns whether there was any."""
        now = self._clock.now()
        request = DropWaiting(before=to_stored(now - KEPT), now=to_stored(now))
        dropped = await self._database.write(drop_waiting, request)
        for login, count in dropped.items():
            log.warning("esme_deliveries_dropped", login=login, deliveries=count)
        return bool(dropped)
