"""What waits, by the public id of a job, a message or a row of the outbox: held, released, ended, made due, and traced.

Not here: what the rows mean (store.queue, store.views), who asks carriers for what they have (gateway.cancel).
"""

from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.cancel import cancel_waiting
from sms.facts import Fact
from store.answers import Rules
from store.engine.keys import to_stored
from store.queue import Drop, FoundRows, Release, drop, find_customer_key, find_waiting, flush, hold, release
from store.results import Cancel, ResultStore


def hold_waiting(edit: Edit, name: str) -> Changed:
    """Keep what is queued from going out until it is released."""
    (held,) = hold(edit.tx, [_find(edit, name)])
    return _done(edit, AuditAction.HOLD, name, held=held)


def release_waiting(edit: Edit, name: str) -> Changed:
    """Let what was held go out: now, or at the time that its sender chose."""
    (released,) = release(edit.tx, [Release(found=_find(edit, name), now=to_stored(edit.now))])
    return _done(edit, AuditAction.RELEASE, name, released=released)


def delete_waiting(edit: Edit, name: str) -> Changed:
    """End messages that no carrier was offered yet, which is reported, and notices that wait, which is not."""
    found, now = _find(edit, name), to_stored(edit.now)
    (dropped,) = drop(edit.tx, [Drop(found=found, now=now)])
    (cancelled,) = _results(edit).cancel(edit.tx, [Cancel(message_keys=found.messages, now=now)])
    return _done(edit, AuditAction.DELETE, name, cancelled=cancelled, dropped=dropped)


def cancel_job(edit: Edit, name: str) -> Changed:
    """End messages that wait, and have carriers asked for those that they have."""
    found = _find(edit, name)
    cancelled = cancel_waiting(edit.tx, _results(edit), found.messages, to_stored(edit.now))
    return _done(edit, AuditAction.CANCEL, name, cancelled=cancelled.ended, asked=cancelled.asked)


def flush_queue(edit: Edit) -> Changed:
    """Make due what failed and waits for a later attempt; what its sender scheduled keeps its time."""
    (due,) = flush(edit.tx, [to_stored(edit.now)])
    return _done(edit, AuditAction.FLUSH, "", due=due)


def _find(edit: Edit, name: str) -> FoundRows:
    found = find_waiting(edit.tx, name)
    if not found.known:
        raise AdminFault(FaultCode.NOTHING_OF_THIS_ID, name=name)
    return found


def _results(edit: Edit) -> ResultStore:
    return ResultStore(edit.keys, Rules())


def _done(edit: Edit, action: AuditAction, name: str, **counts: int) -> Changed:
    """Audit what was done to so many rows, if it was any."""
    facts: dict[str, Fact] = {"name": name, **counts} if name else {**counts}
    if not any(counts.values()):
        return changed(action, **facts)
    detail = ", ".join(f"{what} {count}" for what, count in counts.items())
    whose = find_customer_key(edit.tx, name) if name else None
    return edit.done(action, Subject(name or "queue", whose, detail), **facts)
