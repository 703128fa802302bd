"""What the operator asks customers to declare, such as the consent of their staff: asked, reminded of, confirmed.

One that is not confirmed in time can suspend its customer. Not here: how a suspension works (suspensions).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from addressbook.people import Customer
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, readers_of
from gateway.admin.suspensions import end, spoken
from gateway.letters import letter_row
from sms.facts import Fact
from store.declarations import (
    Declaration,
    DeclarationRequest,
    all_declarations,
    declaration_with_key,
    find_declaration,
    put_declaration,
    put_request,
    remove_request,
    requests_due,
    requests_of,
    title_of,
)
from store.directory_lookup import all_customers, find_customer_by_key
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.outbox import Outbox
from store.suspensions import StoredSuspension, put_suspension, suspensions_of

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_LONGEST: Final = 50_000
_LONGEST_TITLE: Final = 100
_PATIENCE: Final = timedelta(days=30)
_REMINDERS: Final = (timedelta(days=7), timedelta(days=1))
"""So long before it is due a customer is reminded."""


def add_declaration(  # noqa: PLR0913 - what is asked of whom
    edit: Edit,
    name: str,
    *,
    texts: Mapping[str, str] | None = None,
    customers: Sequence[str] = (),
    everybody: bool = False,
    due: datetime | None = None,
    suspends: bool = False,
    portal: str = "",
) -> Changed:
    """Ask customers for a declaration; with texts (language → Markdown) it is a new version of it.

    A new version is asked of whom is named, and stands in place of what these have not confirmed of those before.
    `portal` is the address of the portal, which letters name.
    """
    if not _NAME.fullmatch(name):
        raise AdminFault(FaultCode.BAD_DECLARATION_NAME, name=name)
    due = due or edit.now + _PATIENCE
    if due <= edit.now:
        raise AdminFault(FaultCode.DUE_IS_PAST, due=spoken(due))
    before = find_declaration(edit.tx, name)
    declaration = _new_version(edit, name, before, texts) if texts else before
    if declaration is None:
        raise AdminFault(FaultCode.NO_DECLARATION, name=name)
    asked = all_customers(edit.tx) if everybody else [get_customer(edit.tx, customer) for customer in customers]
    for customer in asked:
        _ask(edit, declaration, customer, due, suspends=suspends, portal=portal)
    facts: dict[str, Fact] = {
        "name": name,
        "version": declaration.version,
        "customers": tuple(customer.name for customer in asked),
        "due": spoken(due),
    }
    detail = f"version {declaration.version}, due {spoken(due)}" + (", suspends" if suspends else "")
    for customer in asked:
        edit.note(AuditAction.ASK_DECLARATION, Subject(customer.name, customer.key, f"{name}: {detail}"))
    return edit.done(AuditAction.ADD_DECLARATION, Subject(name, None, detail), **facts)


def _new_version(edit: Edit, name: str, before: Declaration | None, texts: Mapping[str, str]) -> Declaration:
    for language, text in texts.items():
        title = title_of(text)
        if not _LANGUAGE.fullmatch(language) or not 0 < len(title) <= _LONGEST_TITLE or len(text) > _LONGEST:
            raise AdminFault(FaultCode.BAD_DECLARATION, language=language, title=title, most=_LONGEST)
    declaration = Declaration(
        key=edit.keys.take(),
        name=name,
        version=before.version + 1 if before is not None else 1,
        texts=texts,
        made_at=to_stored(edit.now),
    )
    put_declaration(edit.tx, declaration)
    return declaration


def _ask(  # noqa: PLR0913 - one request
    edit: Edit, declaration: Declaration, customer: Customer, due: datetime, *, suspends: bool, portal: str
) -> None:
    for request in requests_of(edit.tx, customer_key=customer.key):
        of_same = declaration_with_key(edit.tx, request.declaration_key)
        if of_same is None or of_same.name != declaration.name:
            continue
        if request.confirmed_at is not None and request.declaration_key == declaration.key:
            return
        if request.confirmed_at is None:
            _lift(edit, customer, request)
            remove_request(edit.tx, request.key)
    made = DeclarationRequest(
        key=edit.keys.take(),
        declaration_key=declaration.key,
        customer_key=customer.key,
        asked_at=to_stored(edit.now),
        due_at=to_stored(due),
        suspends=suspends,
        next_at=_next_at(edit.now, due),
        confirmed_at=None,
        confirmed_by="",
        language="",
    )
    put_request(edit.tx, made)
    _write(edit, "declaration-asked", declaration, made, customer, portal)


def _next_at(now: datetime, due: datetime) -> int | None:
    """Return when something follows by itself next, None where nothing does."""
    return next((to_stored(at) for at in (*(due - before for before in _REMINDERS), due) if at > now), None)


def _write(  # noqa: PLR0913, PLR0917 - a letter
    edit: Edit, words: str, declaration: Declaration, request: DeclarationRequest, customer: Customer, portal: str
) -> None:
    """Write a letter to the customer."""
    fields = {
        "customer": customer.name,
        "title": declaration.title_in("en"),
        "due": spoken(to_instant(request.due_at)),
        "link": f"{portal}/portal/c/{customer.key}/declarations" if portal else "",
    }
    rows = [
        letter_row(address, words, fields, now=to_stored(edit.now), customer_key=customer.key)
        for address in readers_of(edit.tx, customer)
    ]
    Outbox(edit.keys).add(edit.tx, rows)


def confirm_declaration(edit: Edit, name: str, customer: str, by: str = "", language: str = "") -> Changed:
    """Write down that a customer confirmed what it is asked for; `by` is who did, where that is not who asks us.

    Its suspension for that ends.
    """
    owner = get_customer(edit.tx, customer)
    found = next((item for item in _requests_named(edit.tx, owner, name) if item.confirmed_at is None), None)
    if found is None:
        raise AdminFault(FaultCode.NOTHING_TO_CONFIRM, customer=owner.name, name=name)
    by = by or edit.who
    confirmed = structs.replace(
        found, confirmed_at=to_stored(edit.now), confirmed_by=by, language=language, next_at=None
    )
    put_request(edit.tx, confirmed)
    _lift(edit, owner, found)
    declaration = declaration_with_key(edit.tx, found.declaration_key)
    version = declaration.version if declaration is not None else 0
    detail = f"{name}: version {version}, by {by}"
    facts: dict[str, Fact] = {"name": name, "version": version, "customer": owner.name, "by": by}
    return edit.done(AuditAction.CONFIRM_DECLARATION, Subject(owner.name, owner.key, detail), **facts)


def _lift(edit: Edit, customer: Customer, request: DeclarationRequest) -> None:
    rows = [row for row in suspensions_of(edit.tx, customer.key) if row.declaration_key == request.key]
    if rows:
        end(edit, customer, rows)


def _requests_named(tx: Transaction, customer: Customer, name: str) -> Iterable[DeclarationRequest]:
    for request in requests_of(tx, customer_key=customer.key):
        declaration = declaration_with_key(tx, request.declaration_key)
        if declaration is not None and declaration.name == name:
            yield request


def follow_up(edit: Edit, portal: str = "") -> Changed:
    """Remind customers of what they have not confirmed, and suspend those whose time is over where that was said."""
    due = requests_due(edit.tx, to_stored(edit.now))
    for request in due:
        customer = find_customer_by_key(edit.tx, request.customer_key)
        declaration = declaration_with_key(edit.tx, request.declaration_key)
        if customer is None or declaration is None:
            remove_request(edit.tx, request.key)
            continue
        due_at = to_instant(request.due_at)
        put_request(edit.tx, structs.replace(request, next_at=_next_at(edit.now, due_at)))
        if due_at > edit.now:
            _write(edit, "declaration-reminder", declaration, request, customer, portal)
        elif request.suspends:
            _suspend(edit, declaration, request, customer)
            _write(edit, "declaration-overdue", declaration, request, customer, portal)
    return changed(AuditAction.FOLLOW_UP_DECLARATIONS, requests=len(due))


def _suspend(edit: Edit, declaration: Declaration, request: DeclarationRequest, customer: Customer) -> None:
    reason = f"the declaration «{declaration.title_in('en')}» was not confirmed in time"
    row = StoredSuspension(
        key=edit.keys.take(),
        customer_key=customer.key,
        option="",
        reason=reason,
        from_at=to_stored(edit.now),
        until_at=None,
        in_force=True,
        declaration_key=request.key,
    )
    put_suspension(edit.tx, row)
    edit.stored.touch_customer(customer.key)
    edit.note(AuditAction.SUSPEND, Subject(customer.name, customer.key, reason))


def list_declarations(tx: Transaction, customer: str = "") -> list[Mapping[str, object]]:
    """Return who is asked for which declaration, and who confirmed it when; of one customer or of all."""
    owner = get_customer(tx, customer) if customer else None
    names = {item.key: item.name for item in all_customers(tx)}
    versions = {item.key: item for item in all_declarations(tx)}
    return [
        {
            "customer": names.get(request.customer_key, ""),
            "name": versions[request.declaration_key].name,
            "version": versions[request.declaration_key].version,
            "due": spoken(to_instant(request.due_at)),
            "suspends": request.suspends,
            "confirmed": "" if request.confirmed_at is None else spoken(to_instant(request.confirmed_at)),
            "by": request.confirmed_by,
        }
        for request in requests_of(tx, customer_key=owner.key if owner is not None else None)
        if request.declaration_key in versions
    ]


def show_declaration(tx: Transaction, name: str) -> Mapping[str, object]:
    """Return the newest version of a declaration with its texts."""
    found = find_declaration(tx, name)
    if found is None:
        raise AdminFault(FaultCode.NO_DECLARATION, name=name)
    requests = requests_of(tx, declaration_key=found.key)
    return {
        "name": found.name,
        "version": found.version,
        "made": spoken(to_instant(found.made_at)),
        "asked": len(requests),
        "confirmed": sum(request.confirmed_at is not None for request in requests),
        **{f"text ({language})": text for language, text in found.texts.items()},
    }
