"""Registrations of sender IDs: requested, submitted, approved until a day or refused, renewed, withdrawn, dropped.

An approved name counts in the next snapshot; an approved code becomes a number of ours. Not here: papers
(registration_papers), letters (registration_letters), what follows by itself (registration_watch).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from msgspec import structs

from addressbook.numbers import NumberKind, NumberState
from addressbook.registrations import EVERYBODY, RegistrationKind, RegistrationState
from countries.book import RuleSubject
from countries.judge import Judge
from countries.registering import Demands, Need, demands_of, use_case_of
from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.numbers import change_number, make_number
from gateway.admin.registration_letters import Registrar, tell_customer, tell_desk, what_of
from gateway.admin.requested_registration import RequestedRegistration, check_requested
from gateway.admin.suspensions import is_reason
from sms.number import SenderId, SenderKind, parse_sender_id
from store.directory_lookup import find_customer_by_key
from store.engine.database import Transaction
from store.engine.keys import public_id, to_stored
from store.inbound_rules import load_numbers
from store.registrations import (
    StoredRegistration,
    find_registration,
    find_registrations,
    find_same,
    papers_of,
    put_registration,
)

_LONGEST_REASON: Final = 200
REMINDED: Final = (timedelta(days=60), timedelta(days=30), timedelta(days=7))
"""So long before the end of an approval its customer is reminded."""
LOOKED_EVERY: Final = timedelta(days=14)
"""How often the use of an approved name is looked at."""
LETTER: Final = "letter"
"""The kind of a paper that is a letter of authorisation; any other is supporting."""

_S = RegistrationState
OPEN: Final = (_S.DRAFT, _S.SUBMITTED, _S.APPROVED)
EDITABLE: Final = (_S.DRAFT, _S.REFUSED)
SUBMITTABLE: Final = (_S.DRAFT, _S.REFUSED, _S.EXPIRED, _S.IDLE_DROPPED)
RENEWABLE: Final = (_S.APPROVED, _S.EXPIRED, _S.IDLE_DROPPED)
LIVING: Final = tuple(state for state in _S if state is not _S.WITHDRAWN)
_KIND_OF: Final[Mapping[RegistrationKind, NumberKind]] = {
    RegistrationKind.LONG_CODE: NumberKind.LONG,
    RegistrationKind.SHORT_CODE: NumberKind.SHORT,
}


def request_registration(edit: Edit, customer: str, requested: RequestedRegistration, registrar: Registrar) -> Changed:
    """Begin a draft for a customer (empty: for everybody) in the name of who asks."""
    owner = get_customer(edit.tx, customer) if customer else None
    row = StoredRegistration(
        key=edit.keys.take(),
        public_id=public_id("G", edit.now),
        customer_key=owner.key if owner is not None else EVERYBODY,
        kind=RegistrationKind(requested.kind),
        **check_requested(requested, registrar.carriers),
        state=RegistrationState.DRAFT,
        reason="",
        asked_by=edit.who,
        made_at=to_stored(edit.now),
        changed_at=to_stored(edit.now),
        approved_at=None,
        until_day="",
        renewing=False,
        next_at=None,
        idle_at=None,
        warned_at=None,
    )
    _check_new(edit.tx, row)
    put_registration(edit.tx, row)
    name = owner.name if owner is not None else ""
    return _done(edit, AuditAction.REQUEST_REGISTRATION, row, customer=name)


def edit_registration(
    edit: Edit, registration: str, requested: RequestedRegistration, registrar: Registrar, *, customer: str = ""
) -> Changed:
    """Change a draft, or what was refused; its kind stays. Where `customer` is named, only one of its own."""
    before = get_registration(edit.tx, registration, customer, EDITABLE)
    checked = check_requested(replace(requested, kind=before.kind.value), registrar.carriers)
    row = structs.replace(before, **checked, changed_at=to_stored(edit.now))
    _check_new(edit.tx, row)
    put_registration(edit.tx, row)
    owner = find_customer_by_key(edit.tx, row.customer_key)
    return _done(edit, AuditAction.EDIT_REGISTRATION, row, customer=owner.name if owner is not None else "")


def submit_registration(edit: Edit, registration: str, registrar: Registrar, *, customer: str = "") -> Changed:
    """Hand a registration to the operator. Raises AdminFault that names what its country asks for and it lacks."""
    row = get_registration(edit.tx, registration, customer, SUBMITTABLE)
    _check_new(edit.tx, row)
    demands = demands_on(edit.tx, row, registrar.judge, edit.now)
    if demands.obstacle is not None:
        raise AdminFault(FaultCode.SENDER_ID_HAS_NO_WAY, why=demands.obstacle.detail)
    if missing := missing_of(edit.tx, row, demands):
        raise AdminFault(FaultCode.REGISTRATION_INCOMPLETE, country=row.country, missing=tuple(missing))
    row = _moved(edit, row, RegistrationState.SUBMITTED)
    tell_desk(edit, row, "senderid-submitted", registrar)
    return _done(edit, AuditAction.SUBMIT_REGISTRATION, row)


def approve_registration(  # noqa: PLR0913 - what an approval says
    edit: Edit,
    registration: str,
    registrar: Registrar,
    *,
    until: date | None = None,
    code: str = "",
    also: bool = False,
) -> Changed:
    """Approve what was submitted until the end of a day (UTC; None: for good); a code is assigned with that.

    A name that others have in the country needs `also`: both may have it.
    """
    row = get_registration(edit.tx, registration, "", (RegistrationState.SUBMITTED,))
    _check_until(edit, until)
    if row.kind is RegistrationKind.NAME:
        if code:
            raise AdminFault(FaultCode.CODE_NOT_ASKED, registration=row.public_id)
        if not also:
            _check_others(edit.tx, row)
    else:
        row = structs.replace(row, value=_assign(edit, row, code, registrar.carriers))
    row = _moved(edit, row, RegistrationState.APPROVED)
    row = structs.replace(
        _ending(edit.now, row, until),
        approved_at=to_stored(edit.now),
        idle_at=to_stored(edit.now + LOOKED_EVERY) if row.kind is RegistrationKind.NAME else None,
    )
    put_registration(edit.tx, row)
    edit.stored.touch_registrations()
    tell_customer(edit, row, "senderid-approved", registrar)
    return _done(edit, AuditAction.APPROVE_REGISTRATION, row, until=row.until_day)


def refuse_registration(edit: Edit, registration: str, registrar: Registrar, *, reason: str) -> Changed:
    """Refuse what was submitted; who asked reads the reason, and can change it and submit it again."""
    row = get_registration(edit.tx, registration, "", (RegistrationState.SUBMITTED,))
    row = _moved(edit, row, RegistrationState.REFUSED, _checked_reason(reason))
    tell_customer(edit, row, "senderid-refused", registrar)
    return _done(edit, AuditAction.REFUSE_REGISTRATION, row, reason=reason)


def renew_registration(
    edit: Edit, registration: str, registrar: Registrar, *, until: date | None = None, also: bool = False
) -> Changed:
    """Approve until a later day, without a break where it has not ended; `also` as for an approval."""
    row = get_registration(edit.tx, registration, "", RENEWABLE)
    _check_until(edit, until)
    if row.state is not RegistrationState.APPROVED:
        _check_new(edit.tx, row)
        if not also:
            _check_others(edit.tx, row)
        row = _moved(edit, row, RegistrationState.APPROVED)
        row = structs.replace(row, approved_at=to_stored(edit.now))
    is_name = row.kind is RegistrationKind.NAME
    row = structs.replace(
        _ending(edit.now, row, until),
        idle_at=to_stored(edit.now + LOOKED_EVERY) if is_name else None,
        renewing=False,
    )
    put_registration(edit.tx, row)
    edit.stored.touch_registrations()
    tell_customer(edit, row, "senderid-approved", registrar)
    return _done(edit, AuditAction.RENEW_REGISTRATION, row, until=row.until_day)


def ask_renewal(edit: Edit, registration: str, registrar: Registrar, *, customer: str = "") -> Changed:
    """Ask the operator for a later end; until then it stays approved."""
    row = get_registration(edit.tx, registration, customer, (RegistrationState.APPROVED,))
    if not row.renewing:
        row = structs.replace(row, renewing=True)
        put_registration(edit.tx, row)
        tell_desk(edit, row, "senderid-renewal", registrar)
    return _done(edit, AuditAction.ASK_RENEWAL, row)


def withdraw_registration(edit: Edit, registration: str, registrar: Registrar, *, customer: str = "") -> Changed:
    """End a registration for good; the operator is told to take an approved one out of the register."""
    row = get_registration(edit.tx, registration, customer, LIVING)
    was_known = row.state in {RegistrationState.SUBMITTED, RegistrationState.APPROVED}
    row = end(edit, row, RegistrationState.WITHDRAWN)
    if was_known and customer:
        tell_desk(edit, row, "senderid-withdrawn", registrar)
    return _done(edit, AuditAction.WITHDRAW_REGISTRATION, row)


def drop_registration(edit: Edit, registration: str, registrar: Registrar, *, reason: str) -> Changed:
    """Say that a register has dropped an approved name, such as one that was not used."""
    row = get_registration(edit.tx, registration, "", (RegistrationState.APPROVED,))
    row = end(edit, row, RegistrationState.IDLE_DROPPED, _checked_reason(reason))
    tell_customer(edit, row, "senderid-dropped", registrar)
    return _done(edit, AuditAction.DROP_REGISTRATION, row, reason=reason)


def end(edit: Edit, row: StoredRegistration, state: RegistrationState, reason: str = "") -> StoredRegistration:
    """Store that a registration counts no more, with its new state."""
    row = structs.replace(_moved(edit, row, state, reason), next_at=None, idle_at=None, warned_at=None, renewing=False)
    put_registration(edit.tx, row)
    edit.stored.touch_registrations()
    return row


def get_registration(
    tx: Transaction, registration: str, customer: str = "", states: Sequence[RegistrationState] = tuple(_S)
) -> StoredRegistration:
    """Return a registration (of a customer) in one of some states. Raises AdminFault."""
    row = find_registration(tx, registration.strip())
    if row is None or (customer and get_customer(tx, customer).key != row.customer_key):
        raise AdminFault(FaultCode.NO_REGISTRATION, registration=registration)
    if row.state not in states:
        raise AdminFault(
            FaultCode.REGISTRATION_NOT_SO,
            registration=row.public_id,
            state=row.state.value,
            states=tuple(state.value for state in states),
        )
    return row


def demands_on(tx: Transaction, row: StoredRegistration, judge: Judge, now: datetime) -> Demands:
    """Return what the country of a registration asks for."""
    owner = find_customer_by_key(tx, row.customer_key)
    place = RuleSubject(
        country=row.country,
        customer=owner.name if owner is not None else "",
        use_case=use_case_of(row.use_case),
        carrier=row.carrier,
    )
    return demands_of(judge, place, _sender_of(row), now.date())


def missing_of(tx: Transaction, row: StoredRegistration, demands: Demands) -> list[Need]:
    """Return what a registration lacks of what its country asks for."""
    given = {
        Need.COMPANY: row.company,
        Need.USE_CASE: row.use_case,
        Need.SAMPLES: json.loads(row.samples),
        Need.VOLUME: row.volume,
        Need.LOCAL_ENTITY: row.local_entity,
        Need.LETTER: any(paper.kind == LETTER for paper in papers_of(tx, row.key)),
    }
    return [need for need in Need if need in demands.needs and not given[need]]


def _sender_of(row: StoredRegistration) -> SenderId | None:
    """Return the sender ID that is judged; any short code stands for one that is not assigned yet."""
    if row.kind is RegistrationKind.NAME:
        return SenderId(value=row.value, kind=SenderKind.ALPHANUMERIC)
    if row.kind is RegistrationKind.SHORT_CODE:
        return SenderId(value=row.value or "12345", kind=SenderKind.SHORT_CODE)
    return SenderId(value=row.value, kind=SenderKind.NUMERIC)


def _check_new(tx: Transaction, row: StoredRegistration) -> None:
    """Raise AdminFault where the same is asked for, or has, already; what was refused or has ended bars nothing."""
    if row.kind is not RegistrationKind.NAME:
        return
    same = (row.country, row.value, row.carrier, row.use_case)
    for other in find_registrations(tx, row.customer_key, OPEN):
        if other.key != row.key and (other.country, other.value, other.carrier, other.use_case) == same:
            raise AdminFault(
                FaultCode.REGISTRATION_EXISTS, registration=other.public_id, value=row.value, country=row.country
            )


def _check_others(tx: Transaction, row: StoredRegistration) -> None:
    """Raise AdminFault where other customers have the name in the country, however it is spelled."""
    if row.kind is not RegistrationKind.NAME:
        return
    others = [
        find_customer_by_key(tx, other.customer_key)
        for other in find_same(tx, row.country, row.value)
        if other.state is RegistrationState.APPROVED and other.customer_key not in {row.customer_key, EVERYBODY}
    ]
    names = sorted({other.name for other in others if other is not None})
    if names:
        raise AdminFault(FaultCode.REGISTERED_BY_OTHERS, value=row.value, country=row.country, customers=tuple(names))


def _check_until(edit: Edit, until: date | None) -> None:
    if until is not None and until < edit.now.astimezone(UTC).date():
        raise AdminFault(FaultCode.DUE_IS_PAST, due=until.isoformat())


def _checked_reason(reason: str) -> str:
    if not is_reason(reason):
        raise AdminFault(FaultCode.BAD_REASON, reason=reason, most=_LONGEST_REASON)
    return reason


def _assign(edit: Edit, row: StoredRegistration, code: str, carriers: Collection[str]) -> str:
    """Make a code the customer's number of ours, or the one that was requested of it active; return its digits."""
    sender = parse_sender_id(code) if code else None
    if sender is None:
        raise AdminFault(FaultCode.CODE_MISSING, registration=row.public_id)
    owner = find_customer_by_key(edit.tx, row.customer_key)
    given: dict[str, Any] = {
        # The country of a long code is that of its number.
        "country": row.country if row.kind is RegistrationKind.SHORT_CODE else "",
        "state": NumberState.ACTIVE.value,
        "customer": owner.name if owner is not None else "",
        "carriers": [row.carrier] if row.carrier else (),
        "known_carriers": carriers,
    }
    before = next((item for item in load_numbers(edit.tx).named(sender.value) if item.country == row.country), None)
    if before is None:
        make_number(edit, code, **given)
    elif before.state is not NumberState.REQUESTED or before.customer_key not in {None, row.customer_key or None}:
        raise AdminFault(FaultCode.CODE_TAKEN, number=code)
    else:
        change_number(edit, code, **given)
    made = next((item for item in load_numbers(edit.tx).named(sender.value) if item.country == row.country), None)
    if made is None or made.kind is not _KIND_OF[row.kind]:
        raise AdminFault(FaultCode.CODE_OF_OTHER_KIND, number=code, kind=row.kind.value, country=row.country)
    return made.digits


def _moved(edit: Edit, row: StoredRegistration, state: RegistrationState, reason: str = "") -> StoredRegistration:
    """Store the new state of a registration; the reason is why, of one that was refused or dropped."""
    row = structs.replace(row, state=state, reason=reason, changed_at=to_stored(edit.now))
    put_registration(edit.tx, row)
    return row


def _ending(now: datetime, row: StoredRegistration, until: date | None) -> StoredRegistration:
    return structs.replace(
        row, until_day=until.isoformat() if until is not None else "", next_at=next_at(now, until), warned_at=None
    )


def next_at(now: datetime, until: date | None) -> int | None:
    """Return when an approval is reminded of, or ends, next; None where it has no end."""
    if until is None:
        return None
    over = end_of(until)
    return next((to_stored(at) for at in (*(over - before for before in REMINDED), over) if at > now), None)


def end_of(until: date) -> datetime:
    """Return the end of the last day, UTC."""
    return datetime.combine(until, time(), UTC) + timedelta(days=1)


def _done(edit: Edit, action: AuditAction, row: StoredRegistration, /, **facts: str) -> Changed:
    detail = " ".join([what_of(row), row.country, *(value for name, value in facts.items() if name != "customer")])
    about = Subject(row.public_id, row.customer_key or None, detail)
    facts = {"registration": row.public_id, "what": what_of(row), "country": row.country, **facts}
    return edit.done(action, about, **facts)
