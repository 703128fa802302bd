"""Mails about a customer's directory: to whom they go, and what a run that was made says in them.

Not here: when a run is told of (gateway.directory_sync), how the mail looks (templates, mta.sending.directory).
"""

from collections.abc import Sequence
from typing import Final

from addressbook.exchange import write_csv
from addressbook.runs import NotTaken, RunLine
from store.outbox import NewRow
from templates.directory_view import DirectoryEvent, say_place, say_reason
from templates.words import Words

DIRECTORY_MAIL: Final = "directory"


def directory_mail(event: DirectoryEvent, *, run_key: int, customer_key: int, recipient: str, now: int) -> NewRow:
    """Return the row of the outbox that tells of a run; `now` is in microseconds."""
    return NewRow(
        kind=DIRECTORY_MAIL,
        prefix="DI",
        recipient=recipient,
        now=now,
        about={"run": run_key, "event": event.value},
        customer_key=customer_key,
    )


def lines_as_csv(lines: Sequence[RunLine]) -> bytes:
    """Return a difference as CSV."""
    rows = ((line.action, line.target, line.field, line.before, line.after) for line in lines)
    return write_csv(("action", "who", "field", "before", "after"), rows)


def faults_as_csv(faults: Sequence[NotTaken], words: Words) -> bytes:
    """Return what was left as it was as CSV."""
    return write_csv(("where", "why"), ((say_place(fault, words), say_reason(fault.reason, words)) for fault in faults))
