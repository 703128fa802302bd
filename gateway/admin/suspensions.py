"""Suspends customers and their options, and resumes them. What was accepted before is sent: 250 means kept.

Not here: who is refused by that (addressbook.senders, addressbook.snapshot).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import structs

from addressbook.options import SERVICE_OPTIONS, Option
from addressbook.people import Customer
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact
from sms.message import Origin
from store.directory_lookup import find_customer_by_key
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.suspensions import StoredSuspension, end_suspension, put_suspension, suspensions_due, suspensions_of

EVERYTHING = "everything"
_LONGEST_REASON = 200


def suspend(  # noqa: PLR0913, PLR0917 - what is suspended, why and when
    edit: Edit, name: str, reason: str, only: str = "", since: datetime | None = None, until: datetime | None = None
) -> Changed:
    """Suspend a customer, or only a service or option of it, in place of what was said of the same before.

    The refused read the reason.
    """
    customer = get_customer(edit.tx, name)
    since = since or edit.now
    if not is_reason(reason):
        raise AdminFault(FaultCode.BAD_REASON, reason=reason, most=_LONGEST_REASON)
    if until is not None and until <= max(since, edit.now):
        raise AdminFault(FaultCode.ENDS_BEFORE, since=spoken(since), until=spoken(until))
    option = option_named(only)
    for before in suspensions_of(edit.tx, customer.key):
        if before.option == option and before.declaration_key is None:
            end_suspension(edit.tx, before.key)
    put_suspension(
        edit.tx,
        StoredSuspension(
            key=edit.keys.take(),
            customer_key=customer.key,
            option=option,
            reason=reason,
            from_at=to_stored(since),
            until_at=to_stored(until) if until is not None else None,
            in_force=since <= edit.now,
            declaration_key=None,
        ),
    )
    edit.stored.touch_customer(customer.key)
    facts: dict[str, Fact] = {
        "customer": customer.name,
        "option": option,
        "reason": reason,
        "since": spoken(since) if since > edit.now else "",
        "until": spoken(until) if until is not None else "",
    }
    detail = " ".join(f"{fact}={value}" for fact, value in facts.items() if fact != "customer" and value)
    return edit.done(AuditAction.SUSPEND, Subject(customer.name, customer.key, detail), **facts)


def is_reason(text: str) -> bool:
    """Return whether a text can be told to the refused: one line of visible characters that SMTP replies can hold."""
    return text == text.strip() and 0 < len(text) <= _LONGEST_REASON and text.isprintable()


def resume(edit: Edit, name: str, only: str = "") -> Changed:
    """End all suspensions of a customer, or only those of a service or option, the planned ones too."""
    customer = get_customer(edit.tx, name)
    option = option_named(only)
    ended = [row for row in suspensions_of(edit.tx, customer.key) if not only or row.option == option]
    if not ended:
        raise AdminFault(FaultCode.NOT_SUSPENDED, customer=customer.name, option=option)
    return end(edit, customer, ended)


def end(edit: Edit, customer: Customer, rows: Sequence[StoredSuspension]) -> Changed:
    """End some suspensions of a customer."""
    for row in rows:
        end_suspension(edit.tx, row.key)
    edit.stored.touch_customer(customer.key)
    options = tuple(sorted({row.option or EVERYTHING for row in rows}))
    facts: dict[str, Fact] = {"customer": customer.name, "options": options}
    return edit.done(AuditAction.RESUME, Subject(customer.name, customer.key, ", ".join(options)), **facts)


def apply_due(edit: Edit) -> Changed:
    """Begin and end what is due by now."""
    due = suspensions_due(edit.tx, to_stored(edit.now))
    for row in due:
        over = row.until_at is not None and row.until_at <= to_stored(edit.now)
        if over:
            end_suspension(edit.tx, row.key)
        else:
            put_suspension(edit.tx, structs.replace(row, in_force=True))
        edit.stored.touch_customer(row.customer_key)
        action = AuditAction.RESUME if over else AuditAction.SUSPEND
        target = _name_of(edit.tx, row.customer_key)
        edit.note(action, Subject(target, row.customer_key, f"{row.option or EVERYTHING}: as planned"))
    return changed(AuditAction.APPLY_SUSPENSIONS, suspensions=len(due))


def _name_of(tx: Transaction, customer_key: int) -> str:
    found = find_customer_by_key(tx, customer_key)
    return found.name if found is not None else ""


def option_named(text: str) -> str:
    """Return the option that a name or the name of a service means; empty for everything. Raises AdminFault."""
    word = text.strip().lower()
    if not word or word in set(Option):
        return word
    if word in set(Origin) and Origin(word) in SERVICE_OPTIONS:
        return SERVICE_OPTIONS[Origin(word)].value
    raise AdminFault(FaultCode.NO_OPTION, name=text)


def suspension_lines(rows: Iterable[StoredSuspension]) -> list[str]:
    """Return suspensions as they are shown: what, from when until when, and why."""
    return [
        f"{row.option or EVERYTHING} {'since' if row.in_force else 'from'} {spoken(to_instant(row.from_at))}"
        + (f" until {spoken(to_instant(row.until_at))}" if row.until_at is not None else "")
        + f": {row.reason}"
        for row in rows
    ]


def spoken(instant: datetime) -> str:
    """Return an instant as facts have it."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"
