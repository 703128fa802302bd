"""Letters about registrations of sender IDs: to who asked for one, and to the operator where it reads requests.

Not here: when they are written (registrations, registration_watch), their words (templates/mail).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from addressbook.people import Customer
from addressbook.registrations import RegistrationKind
from countries.judge import Judge
from gateway.admin.edit import Edit
from gateway.admin.lookup import readers_of
from gateway.admin.support import SupportDesk
from gateway.letters import letter_row
from store.directory_lookup import find_customer_by_key
from store.engine.keys import to_stored
from store.outbox import Outbox
from store.registrations import StoredRegistration


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """What registrations depend on: the rules of countries, the carriers there are, who is written to.

    `portal` is the address of the portal, which letters name.
    """

    judge: Judge
    carriers: Collection[str] = ()
    desk: SupportDesk | None = None
    portal: str = ""


def tell_customer(
    edit: Edit, row: StoredRegistration, words: str, registrar: Registrar, fields: Mapping[str, str] | None = None
) -> None:
    """Write a letter to who asked for a registration, else to whom its customer is written."""
    owner = find_customer_by_key(edit.tx, row.customer_key)
    if owner is None:
        return
    room = f"/portal/c/{owner.key}/sender-ids/{row.public_id}"
    readers = [row.asked_by] if "@" in row.asked_by else readers_of(edit.tx, owner)
    _write(edit, row, words, readers, owner, room, registrar, fields)


def tell_desk(
    edit: Edit, row: StoredRegistration, words: str, registrar: Registrar, fields: Mapping[str, str] | None = None
) -> None:
    """Write a letter to the operator, where it reads support requests."""
    owner = find_customer_by_key(edit.tx, row.customer_key)
    address = registrar.desk.address if registrar.desk is not None else ""
    if address:
        _write(edit, row, words, [address], owner, f"/portal/operator/sender-ids/{row.public_id}", registrar, fields)


def _write(  # noqa: PLR0913, PLR0917 - a letter
    edit: Edit,
    row: StoredRegistration,
    words: str,
    readers: Sequence[str],
    owner: Customer | None,
    room: str,
    registrar: Registrar,
    fields: Mapping[str, str] | None,
) -> None:
    told = {
        "customer": owner.name if owner is not None else "",
        "registration": row.public_id,
        "what": what_of(row),
        "country": row.country,
        "until": row.until_day,
        "reason": row.reason,
        "link": f"{registrar.portal}{room}" if registrar.portal else "",
        **(fields or {}),
    }
    is_customers = owner is not None and room.startswith("/portal/c/")
    key = owner.key if owner is not None and is_customers else None
    rows = [letter_row(reader, words, told, now=to_stored(edit.now), customer_key=key) for reader in readers]
    Outbox(edit.keys).add(edit.tx, rows)


def what_of(row: StoredRegistration) -> str:
    """Return what a registration is of, as people name it: the name, the number, or the kind of the code asked for."""
    if row.kind is RegistrationKind.LONG_CODE and row.value:
        return f"+{row.value}"
    return row.value or row.kind.value
