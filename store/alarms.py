"""Alarms: what the administrator is to be told by mail, until it is told or given up.

A topic that was told lately is quiet: what comes meanwhile is only counted. One that a process took is hidden from the
others for a while; if that process ends, it is taken again. Not here: what an alarm says and who sends it
(gateway.alerts).
"""

from dataclasses import dataclass
from datetime import timedelta

from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.statements import Insert
from store.mail_rules_tables import AlarmRow
from store.outbox import add_unanswered, count_unanswered

_ALARMS = Insert(
    AlarmRow,
    *("key", "topic", "subject", "body", "state", "attempts", "repeats", "due_at", "created_at", "problem"),
)
_HIDDEN = int(timedelta(minutes=20).total_seconds()) * 1_000_000
_KEPT = int(timedelta(days=30).total_seconds()) * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlarm:
    """One alarm; nothing is told while the topic's last one is younger than `quiet`. Both in microseconds."""

    topic: str
    subject: str
    body: str
    now: int
    quiet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAlarm:
    """An alarm that this process now sends; `attempt` counts from 1, `unanswered` those before that left doubt.

    Instants are microseconds.
    """

    key: int
    subject: str
    body: str
    attempt: int
    created_at: int
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEnd:
    """What an attempt came to: `state` is sent, failed, or queued again until `due_at` (microseconds).

    It counts only while that attempt is the last one: another process may have taken the alarm meanwhile.
    """

    key: int
    attempt: int
    state: str
    now: int
    due_at: int = 0
    problem: str = ""
    unanswered: bool = False


class AlarmStore:
    """The statements of alarms; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add(self, tx: Transaction, alarms: list[NewAlarm]) -> list[bool]:
        """Queue alarms; False for one whose topic is quiet."""
        return [self._add(tx, alarm) for alarm in alarms]

    def _add(self, tx: Transaction, alarm: NewAlarm) -> bool:
        lately = tx.rows(
            "SELECT key FROM alarm WHERE topic = ? AND created_at > ? ORDER BY created_at DESC LIMIT 1",
            (alarm.topic, alarm.now - alarm.quiet),
        )
        if lately:
            tx.execute("UPDATE alarm SET repeats = repeats + 1 WHERE key = ?", lately[0])
            return False
        over = (alarm.now - _KEPT,)
        tx.execute("DELETE FROM notice_attempt WHERE notice_key IN (SELECT key FROM alarm WHERE created_at < ?)", over)
        tx.execute("DELETE FROM alarm WHERE created_at < ?", over)
        row = (self._keys.take(), alarm.topic, alarm.subject, alarm.body, "queued", 0, 0, alarm.now, alarm.now, "")
        tx.insert(_ALARMS, [row])
        return True

    def take(self, tx: Transaction, nows: list[int]) -> list[list[TakenAlarm]]:
        """Return due alarms, oldest first, ten at most, and hide them from other takers for twenty minutes."""
        return [self._take(tx, now) for now in nows]

    def _take(self, tx: Transaction, now: int) -> list[TakenAlarm]:
        due = (
            "SELECT key, subject, body, attempts, created_at FROM alarm WHERE state = 'queued' AND due_at <= ?"
            " ORDER BY due_at, key LIMIT 10"
        )
        rows = tx.rows(due + (" FOR UPDATE SKIP LOCKED" if tx.postgresql else ""), (now,))
        for row in rows:
            tx.execute("UPDATE alarm SET attempts = attempts + 1, due_at = ? WHERE key = ?", (now + _HIDDEN, row[0]))
        unanswered = count_unanswered(tx, [row[0] for row in rows])
        return [
            TakenAlarm(
                key=key,
                subject=subject,
                body=body,
                attempt=attempts + 1,
                created_at=created_at,
                unanswered=unanswered[key],
            )
            for key, subject, body, attempts, created_at in rows
        ]

    def end(self, tx: Transaction, ends: list[AlarmEnd]) -> list[None]:
        """Record what became of alarms that nobody took since."""
        add_unanswered(tx, self._keys, ((end.key, end.now, end.problem) for end in ends if end.unanswered))
        for end in ends:
            tx.execute(
                "UPDATE alarm SET state = ?, due_at = ?, ended_at = ?, problem = ?"
                " WHERE key = ? AND attempts = ? AND ended_at IS NULL",
                (end.state, end.due_at, None if end.state == "queued" else end.now, end.problem, end.key, end.attempt),
            )
        return [None] * len(ends)
