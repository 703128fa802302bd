"""What we owe somebody, sent: due rows of any kind to the sender of their channel, and what came of it back into them.

A row that was taken is held by a task until its end is recorded, which is tried until it succeeds; what this process
took and no task holds is given back within a minute. Rows are written where they arise: in the transaction that settles
a job (store.results), by gateway.alerts and gateway.postmaster. Not here: their kinds (outbox_kinds), how each looks
and travels (mta.sending, web).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from gateway.outbox_kinds import KINDS, Report
from gateway.ports import Clock, ItemSender, MailAttempt
from gateway.taking import LOOK_EVERY, Taking
from gateway.worker import Worker
from sms.outbox import OutboxEvent
from sms.outcome import Done, Failed, Outcome, ProblemCode, Retry, Unknown
from sms.report import Channel
from sms.retry import Ladder
from store.engine.database import Database, Transaction
from store.engine.keys import to_instant, to_stored
from store.inbound_views import load_inbound_reports
from store.message_pushes import message_of
from store.outbox import GiveBackRows, Outbox, OutboxEnd, Places, TakeDue, TakenRow
from store.views import load_reports, load_reports_of

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_RECORD_AGAIN = Ladder.of_seconds(1, 5, 15, 40, 60)
_CALL_AGAIN = timedelta(seconds=30)
# How often a mail is sent again that its server may have taken: the receiver may see as many copies more.
_RESENDS = 2
# So many times as many as may be under way at once are, where each is the first of its destination.
_FIRSTS = 10
_NOBODY: frozenset[str] = frozenset()
GivenUp = Callable[[TakenRow, OutboxEnd], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """How one channel sends: by whom, when again, how many at a time in all (`most`) and to one destination (`each`).

    `given_up` is told of what nobody will be told: a mail has a null sender and a push none. `reachable` names the only
    destinations that can be sent to now: what is for others waits untouched.
    """

    sender: ItemSender
    ladder: Ladder
    most: int = 50
    each: int = 50
    given_up: GivenUp | None = None
    reachable: Callable[[], frozenset[str]] | None = None


class OutboxLoop:
    """Sends what is due by every channel; `chance` (0 to 1) spreads what failed together.

    `kicked` says that a row was written: for those who write rows and are made before it, such as its own channels.
    """

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbox: Outbox,
        channels: Mapping[Channel, ChannelRules],
        clock: Clock,
        owner: str,
        chance: Callable[[], float],
        kicked: asyncio.Event | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._owner = owner
        self._chance = chance
        self._taking = Taking()
        self._under_way: dict[asyncio.Task[None], TakenRow] = {}
        self._worker = Worker("outbox", self.step, look_every=_LOOK_EVERY, kicked=kicked)
        self._giver = Worker("outbox-give-back", self.give_back, look_every=LOOK_EVERY)

    async def recover(self) -> int:
        """Queue again what an earlier process was sending when it ended; returns how many."""
        return await self._database.write(self._outbox.recover, self._owner)

    def start(self) -> None:
        """Begin to send."""
        self._worker.start()
        self._giver.start()

    def kick(self) -> None:
        """Say that a row was written."""
        self._worker.kick()

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new and wait for what is under way, up to the grace; the rest is sent after the next start."""
        await self._worker.stop()
        await self._giver.stop()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def step(self) -> bool:
        """Take what is due and has a place, and begin to send it; returns whether there was any."""
        try:
            async with self._taking.under_way():
                requests = [self._request(channel) for channel in self._channels]
                writes = [
                    self._database.write(self._outbox.take, one) for one in requests if one.destinations != _NOBODY
                ]
                taken = [row for rows in await asyncio.gather(*writes) for row in rows]
                self._begin(taken)
        except Exception:
            self._giver.kick()  # it may be committed all the same
            raise
        return bool(taken)

    async def give_back(self) -> bool:
        """Queue again what this process took and no task holds, and forget what ended long ago."""
        async with self._taking.at_rest():
            held = frozenset(row.key for row in self._under_way.values())
            request = GiveBackRows(owner=self._owner, held=held)
            rows = await self._database.write(self._outbox.give_back, request)
        if rows:
            log.warning("notices_given_back", notices=rows)
            self.kick()
        return await self._database.write(self._outbox.forget, to_stored(self._clock.now())) > 0

    def _request(self, channel: Channel) -> TakeDue:
        rules = self._channels[channel]
        under_way = Counter(row.destination for row in self._under_way.values() if row.channel is channel)
        places = Places(most=rules.most, each=rules.each, ceiling=rules.most * _FIRSTS, under_way=under_way)
        return TakeDue(
            owner=self._owner,
            channel=channel,
            now=to_stored(self._clock.now()),
            places=places,
            destinations=rules.reachable() if rules.reachable is not None else None,
        )

    def _begin(self, taken: list[TakenRow]) -> None:
        loop = asyncio.get_running_loop()
        is_told_of = any(map(_has_report, taken))
        reports = loop.create_task(self._database.read(partial(_load, taken=taken))) if is_told_of else None
        for row in taken:
            task = loop.create_task(self._handle(row, reports))
            self._under_way[task] = row
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._worker.kick()
        if not task.cancelled() and task.exception() is not None:
            log.error("notice_not_recorded", cause=str(task.exception())[:300])

    async def _handle(self, taken: TakenRow, reports: "asyncio.Task[dict[int, Report]] | None") -> None:
        """Send one row and record what came of it."""
        report = None
        try:
            if reports is not None and _has_report(taken):
                report = await self._report_of(taken, reports)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, nobody was called
            log.warning("notice_not_read", notice=taken.public_id, cause=f"{type(error).__name__}: {error}"[:300])
            end = self._not_called(taken, "", "", _CALL_AGAIN)
        else:
            end = await self._attempt(taken, report)
        is_fallen_back = await self._record(end)
        kind, given_up = KINDS.get(taken.kind), self._channels[taken.channel].given_up
        if kind is not None and end.event is not OutboxEvent.GIVE_BACK:
            kind.log(taken, end, report)
        if end.event is not OutboxEvent.FAIL or is_fallen_back:
            return
        if given_up is not None and kind is not None and kind.gives_up_loudly:
            given_up(taken, end)

    async def _report_of(self, taken: TakenRow, reports: "asyncio.Task[dict[int, Report]]") -> Report:
        try:
            return (await asyncio.shield(reports))[taken.key]
        except Exception:  # noqa: BLE001 - another row's report may be at fault
            return (await self._database.read(partial(_load, taken=[taken])))[taken.key]

    async def _attempt(self, taken: TakenRow, report: Report | None) -> OutboxEnd:
        attempted_at = self._clock.now()
        try:
            kind = KINDS[taken.kind]
            is_overtaken = kind.is_overtaken(report)
            sender = self._channels[taken.channel].sender
            attempt = None if is_overtaken else await sender.send(kind.open(taken, report))
        except Exception as error:
            log.exception("notice_broke", notice=taken.public_id, cause=f"{type(error).__name__}: {error}"[:300])
            text = "The gateway could not make or send this notice."
            return self._again(
                taken, ProblemCode.INTERNAL.value, text, MailAttempt(outcome=Done()), attempted_at=attempted_at
            )
        if attempt is None:
            return self._end(taken, OutboxEvent.SKIP)
        return self._judge(taken, attempt, attempted_at)

    def _judge(self, taken: TakenRow, attempt: MailAttempt, attempted_at: datetime) -> OutboxEnd:
        match attempt.outcome:
            case Done():
                return self._end(taken, OutboxEvent.SEND, attempt)
            case Retry(problem=problem, after=after) if not attempt.called:
                pause = _CALL_AGAIN if after is None else after
                return self._not_called(taken, problem.code.value, problem.text, pause)
            case Retry(problem=problem) | Failed(problem=problem) | Unknown(problem=problem) as outcome:
                # Only a mail: the receiver of a push knows its id, and is told until it answers.
                unanswered = isinstance(outcome, Unknown) and taken.channel is Channel.MAIL
                if _is_given_up(outcome, taken.unanswered):
                    reason, text = problem.code.value, problem.text
                    return self._end(taken, OutboxEvent.FAIL, attempt, reason, text, unanswered=unanswered)
                return self._again(
                    taken,
                    problem.code.value,
                    problem.text,
                    attempt,
                    attempted_at=attempted_at,
                    after=outcome.after if isinstance(outcome, Retry) else None,
                    unanswered=unanswered,
                )

    def _not_called(self, taken: TakenRow, reason: str, problem: str, pause: timedelta) -> OutboxEnd:
        """Give a row back for which nobody was called; it is no attempt, but its time ends all the same."""
        now, ladder = self._clock.now(), self._channels[taken.channel].ladder
        if ladder.next_at(1, to_instant(taken.began_at), now, 0) is None:
            reason = reason or ProblemCode.INTERNAL.value
            return self._end(taken, OutboxEvent.FAIL, None, reason, _permanent(reason, problem))
        return self._end(taken, OutboxEvent.GIVE_BACK, None, reason, problem, due_at=to_stored(now + pause))

    def _again(  # noqa: PLR0913 - one row
        self,
        taken: TakenRow,
        reason: str,
        problem: str,
        attempt: MailAttempt,
        *,
        attempted_at: datetime,
        after: timedelta | None = None,
        unanswered: bool = False,
    ) -> OutboxEnd:
        """Try it again later: waits count from the beginning of an attempt, what the other side asks for from now."""
        ladder = self._channels[taken.channel].ladder
        due = ladder.next_at(taken.attempt, to_instant(taken.began_at), attempted_at, self._chance())
        if due is None:
            final = _permanent(reason, problem)
            return self._end(taken, OutboxEvent.FAIL, attempt, reason, final, unanswered=unanswered)
        due_at = to_stored(due if after is None else max(due, self._clock.now() + after))
        return self._end(taken, OutboxEvent.DEFER, attempt, reason, problem, due_at=due_at, unanswered=unanswered)

    def _end(  # noqa: PLR0913 - one row
        self,
        taken: TakenRow,
        event: OutboxEvent,
        attempt: MailAttempt | None = None,
        reason: str = "",
        problem: str = "",
        *,
        due_at: int = 0,
        unanswered: bool = False,
    ) -> OutboxEnd:
        shown = attempt or MailAttempt(outcome=Done())
        return OutboxEnd(
            taken=taken,
            event=event,
            at=to_stored(self._clock.now()),
            due_at=due_at,
            reason=reason,
            problem=problem,
            host=shown.host,
            address=shown.address,
            tls=shown.tls,
            policy=shown.policy,
            reply=shown.reply,
            unanswered=unanswered,
            sessions=shown.sessions,
            ends_action=KINDS[taken.kind].action_of(taken) if reason == ProblemCode.PUSH_GONE else None,
        )

    async def _record(self, end: OutboxEnd) -> bool:
        """Write down what an attempt came to, as often as it takes: nobody else knows it.

        Returns whether others are told instead.
        """
        failures = 0
        while True:
            try:
                return await self._database.write(self._outbox.end, end)
            except Exception as error:  # noqa: BLE001 - whatever the database says, the mail was sent
                failures += 1
                pause = _RECORD_AGAIN.wait(failures).total_seconds()
                log.error("notice_not_recorded", notice=end.taken.public_id, cause=str(error)[:300], again_in=pause)
                await asyncio.sleep(pause)


def _has_report(taken: TakenRow) -> bool:
    return taken.job_key is not None or taken.sms_key is not None


def _load(tx: Transaction, taken: Collection[TakenRow]) -> dict[int, Report]:
    """Return the report of the job or inbound SMS of each row that has one, by the row's key."""
    message_keys = {row.key: key for row in taken if (key := message_of(row)) is not None}
    messages = load_reports_of(tx, set(message_keys.values()))
    of_jobs = [row for row in taken if row.key not in message_keys]
    jobs = load_reports(tx, {row.job_key for row in of_jobs if row.job_key is not None})
    inbound = load_inbound_reports(tx, {row.sms_key for row in taken if row.sms_key is not None})
    found = [(row.key, jobs.get(row.job_key or 0) or inbound.get(row.sms_key or 0)) for row in of_jobs]
    found += [(key, messages.get(message_key)) for key, message_key in message_keys.items()]
    return {key: report for key, report in found if report is not None}


def _permanent(reason: str, problem: str) -> str:
    """Return the words for what was temporary to the end, which is recorded as permanent (RFC 3463 §2)."""
    return problem.replace("4.7.", "5.7.", 1) if reason == ProblemCode.TLS_POLICY else problem


def _is_given_up(outcome: Outcome, unanswered: int) -> bool:
    """Return whether it is not sent again after this outcome; `unanswered` counts earlier attempts that left doubt."""
    return isinstance(outcome, Failed) or (isinstance(outcome, Unknown) and unanswered >= _RESENDS)
