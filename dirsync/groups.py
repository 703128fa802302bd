"""The members of a directory's groups, those of the groups within them too, read whole or not at all.

A group within a group is found among all groups, or by the server where it proves that it can: one that does not know
the matching rule in chain answers with nothing, and success. The search goes breadth first, ends at cycles and at a
depth. Members are named by DN, by `memberUid` (RFC 2307), or in Active Directory by their own primaryGroupID.
Not here: which groups matter and what for (addressbook.sources).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dirsync.source import (
    NO_REFERENCES,
    DirectoryReader,
    LdapEntry,
    ReadFault,
    ReadFaultCode,
    SearchRequest,
    SearchScope,
)
from dirsync.strings import any_of, in_filter, is_within, normal_dn, out_of_filter

DEEPEST: Final = 10
"""How many steps below a configured group a group within it may be; the members of one below are left out."""

_IN_CHAIN: Final = "1.2.840.113556.1.4.1941"  # LDAP_MATCHING_RULE_IN_CHAIN
_BY_DN: Final = ("member", "uniquemember")
_ATTRIBUTES: Final = ("member", "uniqueMember", "memberUid", "primaryGroupToken")
_CLASSES: Final = ("group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "posixGroup")
_IS_GROUP: Final = f"(|{''.join(f'(objectClass={name})' for name in _CLASSES)})"
_PROBES: Final = 3
_TOO_SLOW: Final = frozenset({ReadFaultCode.TIME_LIMIT, ReadFaultCode.ADMIN_LIMIT})  # as the rule is in a large domain
_RANGE: Final = re.compile(r"(?P<attribute>[^;]+);range=(?P<first>\d+)-(?P<last>\d+|\*)\Z")
_OF_FILTER: Final = re.compile(r"\(\s*memberOf(?::[0-9.]+:)?=([^()]+)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Who is in which group. `members` has, by a group's name as configured, the DNs as `normal_dn` gives them.

    `digests` change with the members; they also have the groups that the source's filter names, since the entry of a
    user does not change when it joins one. The members of groups `too_deep` are left out.
    """

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    too_deep: frozenset[str] = frozenset()

    def of(self, dn: str) -> frozenset[str]:
        """Return the configured groups that an entry is in, itself or through others."""
        name = normal_dn(dn)
        return frozenset(group for group, members in self.members.items() if name in members)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    dn: str
    members: frozenset[str]
    some: tuple[str, ...]  # of the members, as the server writes them
    uids: frozenset[str]
    token: str


def read_groups(reader: DirectoryReader, base: str, search_filter: str, configured: Sequence[str]) -> Groups:
    """Read the configured groups; users are below `base` and match the filter. Raises ReadFault if one is not whole."""
    names = dict.fromkeys((*configured, *groups_of_filter(search_filter)))
    return _Search(reader, base).read(configured, tuple(names)) if names else Groups()


def groups_of_filter(search_filter: str) -> tuple[str, ...]:
    """Return the groups that a filter names with memberOf."""
    return tuple(out_of_filter(found) for found in _OF_FILTER.findall(search_filter) if found != "*")


class _Search:
    """One reading of groups, in which each group is read once."""

    def __init__(self, reader: DirectoryReader, base: str) -> None:
        self._reader = reader
        self._base = base
        self._read: dict[str, _Group] = {}
        self._too_deep: set[str] = set()

    def read(self, configured: Sequence[str], names: Sequence[str]) -> Groups:
        tops = {name: self._group(name) for name in names}
        within = self._groups_within(tops) if any(top.members for top in tops.values()) else {}
        trees = {name: self._tree(normal_dn(name), within) for name in names}
        primary = self._primary_members()
        found = {
            name: frozenset().union(*(self._read[one].members | primary.get(one, frozenset()) for one in tree))
            for name, tree in trees.items()
        }
        by_uid = self._by_uid(uid for group in self._read.values() for uid in group.uids)
        if by_uid:
            for name, tree in trees.items():
                uids = frozenset().union(*(self._read[one].uids for one in tree))
                found[name] |= frozenset(by_uid[uid] for uid in uids if uid in by_uid)
        return Groups(
            members={name: found[name] for name in configured},
            digests={name: _digest(found[name]) for name in names},
            too_deep=frozenset(self._too_deep),
        )

    def _tree(self, top: str, within: Mapping[str, str]) -> set[str]:
        """Return the group and those within it, breadth first; each is read at the first sight of it."""
        seen, level = {top}, [top]
        for _ in range(DEEPEST):
            below = {member for one in level for member in self._read[one].members if member in within} - seen
            for member in sorted(below):
                self._group(within[member])
            seen |= below
            level = sorted(below)
        self._too_deep |= {m for one in level for m in self._read[one].members if m in within} - seen
        return seen

    def _groups_within(self, tops: Mapping[str, _Group]) -> dict[str, str]:
        """Return the DNs of all groups that may be within others, by their normal form."""
        contexts = self._contexts()
        places = {_context_of(normal_dn(top.dn), contexts) for top in tops.values()}
        if self._proves_chain(next(top for top in tops.values() if top.some)):
            rules = "".join(f"(memberOf:{_IN_CHAIN}:={in_filter(top.dn)})" for top in tops.values())
            try:
                return self._named(places, f"(&{_IS_GROUP}(|{rules}))")
            except ReadFault as fault:
                if fault.code not in _TOO_SLOW:
                    raise
        return self._named(places, _IS_GROUP)

    def _named(self, places: Iterable[str], search_filter: str) -> dict[str, str]:
        return {normal_dn(entry.dn): entry.dn for place in places for entry in self._entries(place, search_filter)}

    def _proves_chain(self, group: _Group) -> bool:
        """Whether the server finds a member of a group by the rule: one that does not know it finds nothing."""
        wanted = f"(memberOf:{_IN_CHAIN}:={in_filter(group.dn)})"
        return any(
            self._reader.ask(SearchRequest(base=dn, scope=SearchScope.BASE, filter=wanted, attributes=("1.1",))).found
            for dn in group.some
        )

    def _contexts(self) -> list[str]:
        root = self._reader.ask(SearchRequest(base="", scope=SearchScope.BASE, attributes=("namingContexts",)))
        values = (value for found in root.found for value in found.attributes.get("namingcontexts", ()))
        return [value.decode("utf-8", "replace") for value in values]

    def _group(self, dn: str) -> _Group:
        name = normal_dn(dn)
        if name not in self._read:
            self._read[name] = self._read_group(dn)
        return self._read[name]

    def _read_group(self, dn: str) -> _Group:
        entry = self._entry(dn, _ATTRIBUTES)
        by_dn = [value.decode("utf-8", "replace") for name in _BY_DN for value in self._values(entry, name)]
        return _Group(
            dn=entry.dn,
            members=frozenset(normal_dn(one) for one in by_dn),
            some=tuple(by_dn[:_PROBES]),
            uids=frozenset(value.decode("utf-8", "replace").casefold() for value in self._values(entry, "memberuid")),
            token="".join(value.decode("ascii", "replace") for value in entry.attributes.get("primarygrouptoken", ())),
        )

    def _values(self, entry: LdapEntry, attribute: str) -> list[bytes]:
        """Return all values of an attribute, however many answers they take (`member;range=0-1499`, MS-ADTS)."""
        values = list(entry.attributes.get(attribute, ()))
        at = _range_of(entry, attribute)
        while at is not None:
            part, last = at
            values += part
            if last == "*":
                return values
            first = int(last) + 1
            entry = self._entry(entry.dn, (f"{attribute};range={first}-*",))
            at = _range_of(entry, attribute, first)
            if at is None or not at[0]:
                raise ReadFault(ReadFaultCode.GROUP_NOT_WHOLE, is_passing=True, group=entry.dn, attribute=attribute)
        return values

    def _entry(self, dn: str, attributes: tuple[str, ...]) -> LdapEntry:
        request = SearchRequest(base=dn, scope=SearchScope.BASE, attributes=attributes)
        try:
            return next(entry for page in self._reader.search(request) for entry in page)
        except StopIteration:
            raise ReadFault(ReadFaultCode.NO_GROUP, group=dn) from None
        except ReadFault as fault:
            if fault.code is ReadFaultCode.NO_BASE:
                raise ReadFault(ReadFaultCode.NO_GROUP, group=dn) from fault
            raise

    def _primary_members(self) -> dict[str, frozenset[str]]:
        """Return who has which of the groups as primary one: the group does not name them."""
        by_token = {group.token: name for name, group in self._read.items() if group.token}
        members: dict[str, set[str]] = {}
        for wanted in any_of("primaryGroupID", sorted(by_token)):
            for entry in self._entries(self._base, wanted, ("primaryGroupID",)):
                for value in entry.attributes.get("primarygroupid", ()):
                    group = by_token.get(value.decode("ascii", "replace"), "")
                    members.setdefault(group, set()).add(normal_dn(entry.dn))
        return {name: frozenset(found) for name, found in members.items()}

    def _by_uid(self, uids: Iterable[str]) -> dict[str, str]:
        return {
            value.decode("utf-8", "replace").casefold(): normal_dn(entry.dn)
            for wanted in any_of("uid", sorted(set(uids)))
            for entry in self._entries(self._base, wanted, ("uid",))
            for value in entry.attributes.get("uid", ())
        }

    def _entries(self, base: str, search_filter: str, attributes: tuple[str, ...] = ()) -> Iterator[LdapEntry]:
        request = SearchRequest(base=base, filter=search_filter, attributes=attributes, controls=(NO_REFERENCES,))
        for page in self._reader.search(request):
            yield from page


def _range_of(entry: LdapEntry, attribute: str, first: int = 0) -> tuple[tuple[bytes, ...], str] | None:
    for name, values in entry.attributes.items():
        found = _RANGE.match(name)
        if found and found["attribute"] == attribute and int(found["first"]) == first:
            return values, found["last"]
    return None


def _context_of(name: str, contexts: Iterable[str]) -> str:
    """Return the naming context that a name is in, the longest that fits; without one, what is above the name."""
    fitting = [context for context in contexts if context and is_within(name, normal_dn(context))]
    return max(fitting, key=len, default=name.partition(",")[2])


def _digest(members: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(members)).encode()).hexdigest()
