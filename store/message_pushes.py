"""Pushes of single messages: a row of the outbox for each state that one comes to and that its application asks for.

Whoever writes the state writes these rows, in the same transaction. Not here: pushes of whole jobs (message_update),
their fields (templates.push_fields).
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from sms.lifecycle import MessageState
from sms.report import Channel, JobReport, MessageNotice
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, to_instant
from store.outbox import TakenRow, notice_row

MESSAGE_PUSH: Final = "message"


class ReachedState(NamedTuple):
    """A state that a message came to, and why; `ended` says that no other is awaited."""

    message_key: int
    job_key: int
    state: MessageState
    ended: bool
    reason: str
    problem: str
    from_network: bool


def push_rows(tx: Transaction, keys: Keys, reached: Iterable[ReachedState], now: int) -> list[Row]:
    """Return the rows of pushes for these states in their order; `now` is in microseconds."""
    states = list(reached)
    urls: dict[int, str] = dict(
        tx.rows_in("SELECT key, push_url FROM job WHERE key IN (??)", {each.job_key for each in states})
    )
    return [push_row(keys.take(), each, urls[each.job_key], now) for each in states]


def push_row(key: int, reached: ReachedState, url: str, now: int) -> Row:
    """Return the row of a push for one state. The pushes of one message go one after the other."""
    about = {**reached._asdict(), "at": now}
    return notice_row(
        key,
        about.pop("job_key"),
        MESSAGE_PUSH,
        (Channel.PUSH, url),
        now,
        about=json.dumps(about),
        sequence=f"sms {reached.message_key}",
    )


def message_of(taken: TakenRow) -> int | None:
    """Return the key of the message that a row is of, None for a row of another kind."""
    return int(json.loads(taken.about)["message_key"]) if taken.kind == MESSAGE_PUSH else None


def open_push(taken: TakenRow, report: JobReport) -> MessageNotice:
    """Return the push of a row: whatever the message came to later, it tells of this state."""
    about = json.loads(taken.about)
    (message,) = report.messages
    told = replace(
        message,
        state=MessageState(about["state"]),
        reason=about["reason"],
        problem=about["problem"],
        from_network=about["from_network"],
        updated_at=to_instant(about["at"]),
    )
    return MessageNotice(
        public_id=taken.public_id,
        recipient=taken.recipient,
        report=replace(report, settled_at=None, messages=(told,)),
        ended=about["ended"],
    )
