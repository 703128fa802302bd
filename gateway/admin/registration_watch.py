"""What becomes of approved registrations by itself: reminders before their end, the end, and names that are not used.

Each is told once, in the transaction that makes it so. Not here: who looks and how often (gateway.care_watch).
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from addressbook.registrations import RegistrationState
from countries.registering import Idle
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed
from gateway.admin.registration_letters import Registrar, tell_customer, tell_desk, what_of
from gateway.admin.registrations import LOOKED_EVERY, demands_on, end, end_of, next_at
from store.engine.keys import to_instant, to_stored
from store.registrations import StoredRegistration, count_used, put_registration, registrations_due

_UNUSED: Final = "the country's networks drop names that are not used"


def follow_up(edit: Edit, registrar: Registrar) -> Changed:
    """Do what is due by now."""
    due = registrations_due(edit.tx, to_stored(edit.now))
    for row in due:
        if row.next_at is not None and row.next_at <= to_stored(edit.now):
            row = _near_end(edit, row, registrar)  # noqa: PLW2901 - it goes on as what it became
        if row.idle_at is not None and row.idle_at <= to_stored(edit.now):
            _look_at_use(edit, row, registrar)
    return changed(AuditAction.FOLLOW_UP_REGISTRATIONS, registrations=len(due))


def _near_end(edit: Edit, row: StoredRegistration, registrar: Registrar) -> StoredRegistration:
    if row.until is None or edit.now >= end_of(row.until):
        row = end(edit, row, RegistrationState.EXPIRED)
        _tell_both(edit, row, "senderid-expired", registrar)
        _note(edit, AuditAction.EXPIRE_REGISTRATION, row, row.until_day)
        return row
    row = structs.replace(row, next_at=next_at(edit.now, row.until))
    put_registration(edit.tx, row)
    _tell_both(edit, row, "senderid-reminder", registrar)
    _note(edit, AuditAction.REMIND_OF_REGISTRATION, row, row.until_day)
    return row


def _look_at_use(edit: Edit, row: StoredRegistration, registrar: Registrar) -> None:
    """Warn once of a name that is used too little, and end it at the next look where its country drops it for certain.

    The warning comes so early that a look is left: it counts what would be enough by then.
    """
    idle = demands_on(edit.tx, row, registrar.judge, edit.now).idle
    known_for = edit.now - to_instant(row.approved_at or row.changed_at)
    looked = structs.replace(row, idle_at=to_stored(edit.now + LOOKED_EVERY))
    if idle is None:
        put_registration(edit.tx, structs.replace(looked, warned_at=None))
        return
    early = max(idle.within - LOOKED_EVERY, idle.within / 2)
    if row.warned_at is None:
        used = _used(edit, row, early)
        if known_for >= early and used < idle.fewest * (early / idle.within):
            looked = structs.replace(looked, warned_at=to_stored(edit.now))
            _tell_both(edit, looked, "senderid-idle", registrar, **_counted(idle, used))
            _note(edit, AuditAction.WARN_OF_IDLE_REGISTRATION, looked, f"{used} of {idle.fewest} SMS")
    elif (used := _used(edit, row, idle.within)) >= idle.fewest:
        looked = structs.replace(looked, warned_at=None)
    elif idle.is_certain and known_for >= idle.within:
        row = end(edit, row, RegistrationState.IDLE_DROPPED, _UNUSED)
        _tell_both(edit, row, "senderid-dropped", registrar, **_counted(idle, used))
        _note(edit, AuditAction.DROP_REGISTRATION, row, f"{used} of {idle.fewest} SMS")
        return
    put_registration(edit.tx, looked)


def _used(edit: Edit, row: StoredRegistration, within: timedelta) -> int:
    return count_used(edit.tx, row, to_stored(edit.now - within), to_stored(_after(edit.now)))


def _after(now: datetime) -> datetime:
    return now + timedelta(microseconds=1)


def _counted(idle: Idle, used: int) -> dict[str, str]:
    return {"used": str(used), "fewest": str(idle.fewest), "days": str(idle.within.days)}


def _tell_both(edit: Edit, row: StoredRegistration, words: str, registrar: Registrar, **fields: str) -> None:
    tell_customer(edit, row, words, registrar, fields)
    tell_desk(edit, row, words, registrar, fields)


def _note(edit: Edit, action: AuditAction, row: StoredRegistration, detail: str) -> None:
    about = Subject(row.public_id, row.customer_key or None, f"{what_of(row)} {row.country}: {detail}")
    edit.note(action, about)
