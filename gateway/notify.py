"""What happened, told: due notices to the sender of their channel, and what came of it back into the outbox.

The notice itself was written in the transaction that settled the job (store.results). Not here: how it looks
(mta.sending.compose, web.job_report) and travels (mta.sending.deliver, web.push).
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from gateway.ports import Clock, MailAttempt, NoticeSender
from gateway.worker import Worker
from sms.outcome import Done, Failed, Outcome, ProblemCode, Retry, Unknown
from sms.report import Channel, JobReport, Notice, NoticeKind
from store.engine.database import Database, StorageError
from store.engine.keys import to_instant, to_stored
from store.outbox import NoticeEnd, Outbox, TakenNotice, TakeNotices
from store.views import load_reports

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_ASK_AGAIN = (1, 5, 15, 40)
# How often a mail is sent again that its server may have taken: the receiver may see as many copies more.
_RESENDS = 2
GivenUp = Callable[[TakenNotice, NoticeEnd], None]
NextAttempt = Callable[[int, datetime, datetime], datetime | None]


def is_given_up(outcome: Outcome | None, unanswered: int) -> bool:
    """Tell whether a mail is not sent again after this outcome, None for one that could not be made.

    `unanswered` counts its earlier attempts that left doubt. It is so for notices, alarms and what is forwarded.
    """
    return isinstance(outcome, Failed) or (isinstance(outcome, Unknown) and unanswered >= _RESENDS)


class Notify:
    """Sends the notices of one channel, at most `most_at_once` at a time: a slow receiver of pushes delays no mail.

    `next_attempt` is (attempt, created, now) → when the next one is due, or None to give up. `given_up` is told of a
    notice that nobody will be told: a mail has a null sender and a push none, so nobody else hears of it.
    """

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbox: Outbox,
        sender: NoticeSender,
        next_attempt: NextAttempt,
        clock: Clock,
        owner: str,
        channel: Channel = Channel.MAIL,
        most_at_once: int = 50,
        given_up: GivenUp | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._sender = sender
        self._next_attempt = next_attempt
        self._clock = clock
        self._owner = owner
        self._channel = channel
        self._most_at_once = most_at_once
        self._given_up = given_up
        self._under_way: set[asyncio.Task[None]] = set()
        self._worker = Worker(f"notify-{channel}", self._step, look_every=_LOOK_EVERY)

    async def recover(self) -> int:
        """Queue again what an earlier process was sending when it ended, by any channel; returns how many."""
        return await self._database.write(self._outbox.recover, None)

    def start(self) -> None:
        """Begin to send."""
        self._worker.start()

    def kick(self) -> None:
        """Say that a notice was written."""
        self._worker.kick()

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new and wait for what is under way, up to the grace; the rest is sent after the next start."""
        await self._worker.stop()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _step(self) -> bool:
        room = self._most_at_once - len(self._under_way)
        if room <= 0:
            return False
        request = TakeNotices(now=to_stored(self._clock.now()), most=room, owner=self._owner, channel=self._channel)
        taken = await self._database.write(self._outbox.take, request)
        if not taken:
            return False
        reports = await self._database.read(partial(load_reports, job_keys={notice.job_key for notice in taken}))
        for notice in taken:
            task = asyncio.get_running_loop().create_task(self._tell(notice, reports[notice.job_key]))
            self._under_way.add(task)
            task.add_done_callback(self._finished)
        return True

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._worker.kick()
        if not task.cancelled() and task.exception() is not None:
            log.error("notice_not_recorded", cause=str(task.exception())[:300])

    async def _tell(self, taken: TakenNotice, report: JobReport) -> None:
        notice = Notice(
            key=taken.key,
            public_id=taken.public_id,
            kind=taken.kind,
            recipient=taken.recipient,
            report=report,
            created_at=to_instant(taken.created_at),
            attempt=taken.attempt,
            channel=taken.channel,
        )
        try:
            attempt = None if _is_late(notice) else await self._sender.send(notice)
        except Exception as error:
            log.exception("notice_broke", notice=taken.public_id, cause=f"{type(error).__name__}: {error}"[:300])
            end = self._again(
                taken, ProblemCode.INTERNAL.value, "The gateway could not make or send this notice.", None
            )
        else:
            end = self._judge(taken, attempt)
        await self._record(end)
        log.info(
            "notice_attempted",
            notice=taken.public_id,
            job=report.public_id,
            kind=taken.kind.value,
            channel=taken.channel.value,
            state=end.state,
            host=end.host,
            tls=end.tls,
            policy=end.policy,
            reply=end.reply,
        )
        if end.state == "failed" and self._given_up is not None:
            self._given_up(taken, end)

    async def _record(self, end: NoticeEnd) -> None:
        """Write down what an attempt came to; a database that cannot take it now is asked again for a minute."""
        for pause in _ASK_AGAIN:
            try:
                await self._database.write(self._outbox.end, end)
            except StorageError as error:
                log.error("notice_not_recorded", cause=str(error)[:300], again_in=pause)
                await asyncio.sleep(pause)
            else:
                return
        await self._database.write(self._outbox.end, end)

    def _judge(self, taken: TakenNotice, attempt: MailAttempt | None) -> NoticeEnd:
        now = to_stored(self._clock.now())
        if attempt is None:
            return _end(taken, "skipped", now, MailAttempt(outcome=Done()))
        match attempt.outcome:
            case Done():
                return _end(taken, "sent", now, attempt)
            case Retry(problem=problem) | Failed(problem=problem) | Unknown(problem=problem) as outcome:
                # Only a mail: the receiver of a push knows its id, and is told until it answers.
                unanswered = isinstance(outcome, Unknown) and self._channel is Channel.MAIL
                if is_given_up(outcome, taken.unanswered):
                    end = _end(taken, "failed", now, attempt, problem.code.value, problem.text)
                else:
                    end = self._again(taken, problem.code.value, problem.text, attempt)
                return replace(end, unanswered=unanswered)

    def _again(self, taken: TakenNotice, reason: str, problem: str, attempt: MailAttempt | None) -> NoticeEnd:
        now = self._clock.now()
        due = self._next_attempt(taken.attempt, to_instant(taken.created_at), now)
        shown = attempt or MailAttempt(outcome=Done())
        if due is None:
            # RFC 3463 §2: what was temporary to the end is recorded as permanent.
            final = problem.replace("4.7.", "5.7.", 1) if reason == ProblemCode.TLS_POLICY else problem
            return _end(taken, "failed", to_stored(now), shown, reason, final)
        return _end(taken, "queued", to_stored(now), shown, reason, problem, due_at=to_stored(due))


def _is_late(notice: Notice) -> bool:
    """Tell whether a notice of a delay is overtaken by the result of its job, which is told by itself."""
    return notice.kind is NoticeKind.DELAYED and notice.report.settled_at is not None


def _end(  # noqa: PLR0913, PLR0917 - one row of the outbox
    taken: TakenNotice,
    state: str,
    at: int,
    attempt: MailAttempt,
    reason: str = "",
    problem: str = "",
    due_at: int = 0,
) -> NoticeEnd:
    return NoticeEnd(
        key=taken.key,
        job_key=taken.job_key,
        attempt=taken.attempt,
        state=state,
        at=at,
        due_at=due_at,
        reason=reason,
        problem=problem,
        host=attempt.host,
        address=attempt.address,
        tls=attempt.tls,
        policy=attempt.policy,
        reply=attempt.reply,
    )
