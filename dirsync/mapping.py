"""What an entry of a directory says of a user, by the directory's mapping and its rules for groups.

A field that is not mapped is not spoken of; one whose expression finds nothing is UNSET; `<none>` is NONE. What cannot
be read is a fault of the entry, and nothing of it is guessed. Further addresses (`smtp:` of proxyAddresses, more values
of mail) are not modelled: a user has one address. Not here: reading the entry (ldap), the expressions themselves
(addressbook.expressions), what becomes of the user (addressbook.sync_plan).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from addressbook.canonical import canonical_address
from addressbook.changes import ChangeFault, ChangeFaultCode, ReadList, UserChange
from addressbook.exchange import read_phone
from addressbook.expressions import DN, Circumstances, Expression, FoundValue, UnreadableError, parse_expression
from addressbook.lists import ListMember
from addressbook.source_table import ACTIVE, ADDRESS, NAME, PHONE, PROFILE
from addressbook.sources import CustomerDirectory, GroupList
from dirsync.groups import Groups
from dirsync.source import LdapEntry
from sms.facts import Fact
from sms.setting_texts import parse_bool
from sms.settings import FIELDS, NONE, UNSET, SettingProblem, parse_setting

_LONGEST_NAME: Final = 200
_SHOWN: Final = 80
_COUNTRY: Final = "default_country"
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_parse = lru_cache(maxsize=20_000)(parse_setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedEntry:
    """An entry as a change of a user, which counts only without faults; its address is empty where it has none.

    `lists` are the names of the lists whose group it is in.
    """

    change: UserChange
    faults: tuple[ChangeFault, ...] = ()
    lists: tuple[str, ...] = ()


def attributes_of(directory: CustomerDirectory) -> tuple[str, ...]:
    """Return the attributes that the mapping of a directory needs, in lower case."""
    expressions = map(parse_expression, directory.mapping.values())
    return tuple(sorted({name for each in expressions for name in each.attributes} - {DN}))


class Mapper:
    """Maps the entries of one reading, with the members of the groups of its rules and lists.

    `country` is that of national numbers, unless the entry has one of its own (`map.default_country`).
    """

    def __init__(
        self, directory: CustomerDirectory, *, now: datetime, country: str = "", groups: Groups | None = None
    ) -> None:
        expressions = {name: parse_expression(text) for name, text in directory.mapping.items()}
        self._of_user = {
            name: expressions[name] for name in (ADDRESS, NAME, PHONE, ACTIVE, PROFILE) if name in expressions
        }
        # The country comes first, since numbers are read by it.
        in_order = sorted(FIELDS, key=lambda name: name != _COUNTRY)
        self._of_cells = {name: expressions[name] for name in in_order if name in expressions}
        self._directory = directory
        self._groups = groups or Groups()
        self._around = Circumstances(now=now, country=country)
        self._needs_dn = any(DN in each.attributes for each in expressions.values())
        # Equal entries share their cells, so that many users take little room.
        self._same_cells: Callable[[tuple[tuple[str, object], ...]], Mapping[str, object]] = lru_cache(10_000)(dict)
        self._same_columns: Callable[[tuple[tuple[str, str], ...]], Mapping[str, str]] = lru_cache(1_000)(dict)

    @property
    def until(self) -> float:
        """The instant, in seconds since 1970, at which an entry that was read says something else: it expires."""
        return self._around.until

    def read(self, entry: LdapEntry, place: int) -> MappedEntry:
        """Return what an entry says; `place` is its place in the reading, from 1."""
        reader = _EntryReader(entry, place, self._needs_dn)
        around = self._around
        cells: dict[str, object] = {}
        for name, expression in self._of_cells.items():
            value = cells[name] = reader.cell(name, expression, around)
            if name == _COUNTRY and isinstance(value, str) and value not in (UNSET, NONE):
                around = replace(around, country=value)
        found = {name: reader.find(name, each, around) for name, each in self._of_user.items()}
        self._around.until = min(self._around.until, around.until)
        groups = self._groups.of(entry.dn) if self._groups.members else frozenset()
        change = UserChange(
            place=place,
            address=reader.address(found[ADDRESS], self._of_user[ADDRESS].first_attribute),
            cells=self._same_cells(tuple(cells.items())) if cells else _NOTHING,
            columns=self._same_columns(tuple(reader.columns.items())),
            profile=self._profile(found, groups),
            name=_name_of(found[NAME]) if NAME in found else None,
            active=reader.active(found[ACTIVE]) if ACTIVE in found else None,
            anchor=entry.anchor,
            entry=entry.dn,
            phone=reader.phone(found[PHONE], around.country, self._of_user[PHONE]) if PHONE in found else None,
        )
        lists = tuple(item.name for item in self._directory.lists if item.group in groups)
        return MappedEntry(change=change, faults=tuple(reader.faults), lists=lists)

    def _profile(self, found: Mapping[str, FoundValue | None], groups: frozenset[str]) -> str | None:
        """Return the profile of the first rule whose group the entry is in, else what the mapping says."""
        for rule in self._directory.profiles:
            if rule.group in groups:
                return rule.profile
        if PROFILE not in found:
            return "" if self._directory.profiles else None
        value = found[PROFILE]
        return "" if value is None or value.text == NONE else value.text


class _EntryReader:
    """Reads the values of one entry, and gathers where they came from and what is wrong with them."""

    def __init__(self, entry: LdapEntry, place: int, needs_dn: bool) -> None:  # noqa: FBT001 - of the mapping
        self._entry = entry
        self._place = place
        self._attributes = {**entry.attributes, DN: (entry.dn.encode(),)} if needs_dn else entry.attributes
        self.columns: dict[str, str] = {}
        self.faults: list[ChangeFault] = []

    def find(self, name: str, expression: Expression, around: Circumstances) -> FoundValue | None:
        """Return what an expression finds, None if nothing or where it cannot be read."""
        self.columns[name] = expression.first_attribute
        try:
            found = expression.read(self._attributes, around)
        except UnreadableError as error:
            self._fault(error.attribute, error.code, error.facts)
            return None
        if found is not None:
            self.columns[name] = found.attribute
        return found

    def cell(self, name: str, expression: Expression, around: Circumstances) -> object:
        """Return the value of a setting, NONE or UNSET."""
        found = self.find(name, expression, around)
        if found is None:
            return UNSET
        value = _parse(name, found.text)
        if isinstance(value, SettingProblem):
            self._fault(found.attribute, ChangeFaultCode.BAD_VALUE, {"field": name, "given": value.given})
            return UNSET
        return value

    def address(self, found: FoundValue | None, attribute: str) -> str:
        """Return the canonical address, empty where there is none."""
        address = None if found is None else canonical_address(found.text)
        if address is not None:
            return address
        if found is not None:
            self._fault(found.attribute, ChangeFaultCode.BAD_ADDRESS, {"given": found.text[:_SHOWN]})
        elif not any(fault.column == attribute for fault in self.faults):
            self._fault(attribute, ChangeFaultCode.NO_ADDRESS, {})
        return ""

    def phone(self, found: FoundValue | None, country: str, expression: Expression) -> str:
        """Return the digits of a number, empty where there is none."""
        if found is None or found.text == NONE:
            return ""
        if expression.gives_numbers:
            return found.text.removeprefix("+")
        read = read_phone(found.text, country)
        if isinstance(read, str):
            return read
        self._fault(found.attribute, *read)
        return ""

    def active(self, found: FoundValue | None) -> bool:
        """Return whether a user may send; nothing that speaks against it means yes."""
        if found is None:
            return True
        try:
            return parse_bool(found.text)
        except ValueError:
            self._fault(found.attribute, ChangeFaultCode.NOT_ON_OR_OFF, {"given": found.text[:_SHOWN]})
            return False

    def _fault(self, column: str, code: ChangeFaultCode, facts: Mapping[str, Fact]) -> None:
        fault = ChangeFault(place=self._place, entry=self._entry.dn, column=column, code=code, facts=facts)
        self.faults.append(fault)


def read_lists(lists: Iterable[GroupList], members: Mapping[str, Iterable[UserChange]]) -> tuple[ReadList, ...]:
    """Return the lists with their members: those who may send and have a number, each number once.

    `members` are the changes by the list's name. The values of a member are its `number`, `name` and `e_mail`.
    """
    return tuple(
        ReadList(name=item.name, members=_members_of(members.get(item.name, ())), authors=item.authors)
        for item in lists
    )


def _members_of(changes: Iterable[UserChange]) -> tuple[ListMember, ...]:
    found: dict[str, ListMember] = {}
    for change in changes:
        if change.phone and change.active is not False:
            values = {"number": f"+{change.phone}", "name": change.name or "", "e_mail": change.address}
            found.setdefault(change.phone, ListMember(number=change.phone, values=values))
    return tuple(found[number] for number in sorted(found))


def _name_of(found: FoundValue | None) -> str:
    return "" if found is None or found.text == NONE else " ".join(found.text.split())[:_LONGEST_NAME]
