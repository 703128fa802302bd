"""Distribution lists: their authors, their members, and the members' values.

The lists themselves are part of the address book in memory; members are read when a mail comes (store.lists). Not here:
filling a text with values (sms.personalise).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from addressbook.canonical import canonical_address, canonical_domain, canonical_name
from sms.number import parse_number
from sms.outcome import Refusal, Refused
from sms.personalise import Table

EVERYBODY: Final = "*"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,50}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionList:
    """A list of one customer; its address is `lista+NAME@DOMAIN`.

    `authors` are canonical addresses, `@` and a domain, or `*` for everybody of the customer; only they may write.
    """

    key: int
    customer_id: int
    name: str
    columns: tuple[str, ...] = ()
    authors: frozenset[str] = frozenset()

    def permits(self, address: str) -> bool:
        """Return whether a sender of the list's customer may write to it."""
        if EVERYBODY in self.authors:
            return True
        canonical = canonical_address(address)
        return canonical is not None and not self.authors.isdisjoint({canonical, "@" + canonical.rpartition("@")[2]})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMember:
    """One recipient of a list: E.164 without the plus, and its values by canonical column."""

    number: str
    values: Mapping[str, str] = field(default_factory=dict)


class DistributionLists:
    """All lists of all customers, as of one version of the address book."""

    __slots__ = ("_by_name", "_columns")

    def __init__(self, lists: Iterable[DistributionList] = ()) -> None:
        self._by_name = {(item.customer_id, canonical_name(item.name)): item for item in lists}
        columns: dict[int, set[str]] = {}
        for item in self._by_name.values():
            columns.setdefault(item.customer_id, set()).update(item.columns)
        self._columns = columns

    def has_columns(self, customer_id: int, columns: Collection[str]) -> bool:
        """Return whether a list of the customer has one of these columns."""
        return not self._columns.get(customer_id, frozenset[str]()).isdisjoint(columns)

    def named(self, customer_id: int, name: str) -> DistributionList | None:
        """Return the customer's list of this name, in any case."""
        return self._by_name.get((customer_id, canonical_name(name)))

    def of_customer(self, customer_id: int) -> list[DistributionList]:
        """Return a customer's lists by name."""
        return [self._by_name[key] for key in sorted(self._by_name) if key[0] == customer_id]

    def permitted(self, customer_id: int, name: str, author: str) -> DistributionList | Refused:
        """Return the customer's list of this name if the author may write to it."""
        found = self.named(customer_id, name)
        if found is None:
            return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=f"There is no list {name}.")
        if not found.permits(author):
            return Refused(
                refusal=Refusal.SENDER_NOT_AUTHORISED, detail=f"This sender is none of the authors of the list {name}."
            )
        return found


def members_of_table(
    table: Table, country: str, *, strict: bool = False
) -> tuple[tuple[ListMember, ...], tuple[tuple[int, str, str], ...]]:
    """Return the members that a table names, and its bad rows, each with its line, its number and what is wrong.

    Numbers are read with the default country and taken once: of rows with the same number the first counts.
    """
    members: dict[str, ListMember] = {}
    bad: list[tuple[int, str, str]] = []
    for row in table.rows:
        number = parse_number(row.number, country, strict=strict)
        if isinstance(number, Refused):
            bad.append((row.line, row.number, number.detail or number.refusal.value))
        else:
            members.setdefault(number.digits, ListMember(number=number.digits, values=row.values))
    return tuple(members.values()), tuple(bad)


def is_list_name(text: str) -> bool:
    """Return whether a text can name a list in an address: up to 51 letters, digits, `.`, `_` and `-`."""
    return _NAME.fullmatch(text) is not None


def canonical_author(text: str) -> str | None:
    """Return the one form of an author: an address, `@domain` or `*`; None if it is none."""
    given = text.strip()
    if given == EVERYBODY:
        return given
    if given.startswith("@"):
        domain = canonical_domain(given[1:])
        return None if domain is None else f"@{domain}"
    return canonical_address(given)
