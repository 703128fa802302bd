"""Changes to customers' stop lists, and views of them: who wants no more SMS of a customer or of one of its services.

Not here: stops by SMS (inbound), what an entry holds back (store.stop_list).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.admin.settings import check_service
from inbound.stop_list import StopEntry, StopOrigin
from sms.facts import Fact
from sms.message import Origin
from sms.number import parse_number
from sms.outcome import Refused
from sms.personalise import Table
from sms.typed_numbers import clean_number
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.stop_list import add_stops, end_stops, read_stops, read_stops_after

COLUMNS = ("number", "service", "added_at", "origin", "evidence", "word", "ended_at", "ended_by")
_ALL = "all"


@dataclass(frozen=True, slots=True)
class StopLine:
    """One entry of a file: digits of the number, the service (empty: all) and the line it stands in."""

    number: str
    service: str
    line: int


def parse_handsets(given: Sequence[str], country: str) -> list[str]:
    """Return the digits of these numbers. Raises AdminFault for one that is none."""
    numbers = []
    for text in given:
        number = parse_number(clean_number(text), country)
        if isinstance(number, Refused):
            raise AdminFault(FaultCode.BAD_HANDSET, given=text, cause=number.detail or number.refusal.value)
        numbers.append(number.digits)
    return numbers


def parse_stops(table: Table, country: str) -> list[StopLine]:
    """Return the entries of a file; its column `service` names one service, or nothing or `all`. Raises AdminFault.

    A row whose column `ended_at` says something, as in an export, is none any more.
    """
    lines: list[StopLine] = []
    bad: list[Fact] = []
    for row in table.rows:
        if row.values.get("ended_at", "").strip():
            continue
        number = parse_number(row.number, country)
        service = row.values.get("service", "").strip().lower()
        if isinstance(number, Refused):
            bad.append((row.line, row.number, number.detail or number.refusal.value))
        elif service not in {"", _ALL, *Origin}:
            bad.append((row.line, service, "there is no such service"))
        else:
            lines.append(StopLine(number.digits, "" if service == _ALL else service, row.line))
    if bad:
        raise AdminFault(FaultCode.BAD_STOPS, rows=tuple(bad))
    return lines


def put_stops(edit: Edit, customer: str, numbers: Iterable[str], service: str = "", reason: str = "") -> Changed:
    """Put numbers on a customer's stop list, for one service or all; what waits for them ends.

    The reason is kept as evidence beside who it was.
    """
    owner = get_customer(edit.tx, customer)
    check_service(service)
    entries = [
        StopEntry(
            customer_key=owner.key,
            number=number,
            service=service,
            origin=StopOrigin.ADMIN,
            evidence=f"{edit.who}: {reason}" if reason else edit.who,
            added_at=edit.now,
        )
        for number in numbers
    ]
    stopped = add_stops(edit.tx, edit.keys, entries, to_stored(edit.now))
    facts: dict[str, Fact] = {
        "customer": owner.name,
        "service": service,
        "numbers": stopped.added,
        "messages": stopped.messages,
    }
    detail = f"numbers: {stopped.added}, messages ended: {stopped.messages}"
    return edit.done(AuditAction.ADD_STOPS, Subject(owner.name, owner.key, detail), **facts)


def import_stops(edit: Edit, customer: str, lines: Sequence[StopLine], source: str) -> Changed:
    """Put the entries of a file on a customer's stop list; those that are on it stay as they are."""
    owner = get_customer(edit.tx, customer)
    entries = [
        StopEntry(
            customer_key=owner.key,
            number=item.number,
            service=item.service,
            origin=StopOrigin.IMPORT,
            evidence=f"{edit.who}: {source}, line {item.line}",
            added_at=edit.now,
        )
        for item in lines
    ]
    stopped = add_stops(edit.tx, edit.keys, entries, to_stored(edit.now))
    counts = {"numbers": stopped.added, "known": len(entries) - stopped.added, "messages": stopped.messages}
    detail = f"numbers: {stopped.added}, messages ended: {stopped.messages}"
    facts: dict[str, Fact] = {"customer": owner.name, **counts}
    return edit.done(AuditAction.IMPORT_STOPS, Subject(owner.name, owner.key, detail), **facts)


def drop_stops(edit: Edit, customer: str, numbers: Sequence[str], service: str | None = None) -> Changed:
    """End the entries of these numbers, for one service (empty: for all) or whatever they are for; they are kept."""
    owner = get_customer(edit.tx, customer)
    check_service(service or "")

    def chosen(entry: StopEntry) -> bool:
        return service is None or entry.service == service

    ended = end_stops(edit.tx, owner.key, numbers, now=to_stored(edit.now), by=f"admin: {edit.who}", chosen=chosen)
    if not ended:
        raise AdminFault(FaultCode.NO_STOP, customer=owner.name, numbers=tuple(f"+{number}" for number in numbers))
    facts: dict[str, Fact] = {"customer": owner.name, "service": service or "", "numbers": len(ended)}
    return edit.done(AuditAction.END_STOPS, Subject(owner.name, owner.key, f"entries: {len(ended)}"), **facts)


def list_stops(
    tx: Transaction, customer: str, number: str = "", *, with_ended: bool = False
) -> list[Mapping[str, object]]:
    """Return a customer's entries as rows, of one number if given; those that ended only where they are asked for."""
    owner = get_customer(tx, customer)
    return [
        dict(
            zip(
                COLUMNS,
                (
                    f"+{entry.number}",
                    entry.service or _ALL,
                    _instant(entry.added_at),
                    entry.origin.value,
                    entry.evidence,
                    entry.word,
                    _instant(entry.ended_at),
                    entry.ended_by,
                ),
                strict=True,
            )
        )
        for entry in read_stops(tx, owner.key, number=number, with_ended=with_ended)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsPage:
    """Entries of some numbers, and the number behind which the next page begins; None at the end."""

    entries: Sequence[StopEntry]
    next: str | None


def stops_of(tx: Transaction, customer: str, number: str, *, with_ended: bool) -> StopsPage:
    """Return a customer's entries of one number (digits)."""
    owner = get_customer(tx, customer)
    return StopsPage(entries=read_stops(tx, owner.key, number=number, with_ended=with_ended), next=None)


def stops_after(tx: Transaction, customer: str, after: str, *, with_ended: bool, limit: int) -> StopsPage:
    """Return a customer's entries of the next numbers behind one (digits); `limit` counts numbers."""
    owner = get_customer(tx, customer)
    found = read_stops_after(tx, owner.key, after, with_ended=with_ended, limit=limit + 1)
    numbers = list(dict.fromkeys(entry.number for entry in found))
    shown = frozenset(numbers[:limit])
    last = numbers[limit - 1] if len(numbers) > limit else None
    return StopsPage(entries=[entry for entry in found if entry.number in shown], next=last)


def _instant(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")
