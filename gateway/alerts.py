"""What the administrator must know: logged at once, and told by mail where the operator's file names an address.

An alarm's mail waits in the database like a status mail, so a restart does not lose it. Each topic is told once and
then quiet for a while. Not here: who raises alarms, how the mail looks (mta.sending.compose) and travels
(mta.sending.deliver).
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from gateway.notify import NextAttempt, is_given_up
from gateway.ports import Alarm, AlarmSender, Clock
from gateway.worker import Worker
from sms.outcome import Done, Outcome, Unknown
from store.alarms import AlarmEnd, AlarmStore, NewAlarm, TakenAlarm
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored

log = structlog.get_logger()

_LOOK_EVERY = 5.0
_QUIET = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alarm as it is raised: its topic, which is quiet for a while afterwards, and what the mail says."""

    topic: str
    subject: str
    text: str
    quiet: timedelta = _QUIET


class Alerts:
    """Takes alarms from the event loop's thread, keeps and sends them; without a sender they are only logged."""

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        sender: AlarmSender | None,
        next_attempt: NextAttempt,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = AlarmStore(keys)
        self._sender = sender
        self._next_attempt = next_attempt
        self._clock = clock
        self._writing: set[asyncio.Task[None]] = set()
        self._sending: asyncio.Task[AlarmEnd] | None = None
        self._stopping = False
        self._worker = Worker("alarms", self._step, look_every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to send."""
        if self._sender is not None:
            self._worker.start()

    async def stop(self) -> None:
        """Let what is being written end, and leave what is being sent for the next start."""
        if self._writing:
            await asyncio.gather(*self._writing, return_exceptions=True)
        self._stopping = True
        if self._sending is not None:
            self._sending.cancel()
        await self._worker.stop()

    def raise_alert(self, alert: Alert) -> None:
        """Log an alarm and queue its mail, unless its topic is quiet."""
        log.error("alarm", topic=alert.topic, subject=alert.subject)
        if self._sender is None:
            return
        task = asyncio.get_running_loop().create_task(self._keep(alert))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _keep(self, alert: Alert) -> None:
        request = NewAlarm(
            topic=alert.topic,
            subject=alert.subject,
            body=alert.text,
            now=to_stored(self._clock.now()),
            quiet=int(alert.quiet.total_seconds()) * 1_000_000,
        )
        try:
            queued = await self._database.write(self._store.add, request)
        except Exception as error:  # noqa: BLE001 - an alarm that can't be kept was logged, and must break nothing
            log.error("alarm_not_kept", topic=alert.topic, cause=str(error)[:300])
            return
        if queued:
            self._worker.kick()

    async def _step(self) -> bool:
        taken = await self._database.write(self._store.take, to_stored(self._clock.now()))
        for alarm in taken:
            if self._stopping:
                break
            self._sending = asyncio.get_running_loop().create_task(self._send(alarm))
            await asyncio.wait({self._sending})
            if self._sending.cancelled():
                break
            end = self._sending.result()
            await self._database.write(self._store.end, end)
            say = log.error if end.state == "failed" else log.info
            say("alarm_attempted", alarm=alarm.key, state=end.state, problem=end.problem)
        return bool(taken)

    async def _send(self, taken: TakenAlarm) -> AlarmEnd:
        assert self._sender is not None
        alarm = Alarm(identity=f"A.{taken.key}", subject=taken.subject, text=taken.body)
        outcome: Outcome | None = None
        try:
            outcome = (await self._sender.send_alarm(alarm)).outcome
        except Exception as error:
            log.exception("alarm_broke", alarm=taken.key, cause=f"{type(error).__name__}: {error}"[:300])
            problem = "The gateway could not make or send this mail."
        else:
            if isinstance(outcome, Done):
                return self._end(taken, "sent")
            problem = outcome.problem.text
        due = None
        if not is_given_up(outcome, taken.unanswered):
            due = self._next_attempt(taken.attempt, to_instant(taken.created_at), self._clock.now())
        end = self._end(taken, "failed" if due is None else "queued", problem=problem)
        return replace(end, due_at=to_stored(due) if due else 0, unanswered=isinstance(outcome, Unknown))

    def _end(self, taken: TakenAlarm, state: str, *, problem: str = "") -> AlarmEnd:
        now = to_stored(self._clock.now())
        return AlarmEnd(key=taken.key, attempt=taken.attempt, state=state, now=now, problem=problem)
