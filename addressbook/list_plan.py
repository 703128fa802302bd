"""The effect of a group that was read on the distribution list that is stored.

Not here: which groups are lists (sources), reading one (dirsync).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from addressbook.changes import ReadList
from addressbook.lists import ListMember


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList:
    """A list as it is stored: `directory_key` is the directory whose group it is, if it is one; members by number."""

    name: str
    directory_key: int | None = None
    authors: frozenset[str] = frozenset()
    members: Mapping[str, ListMember] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedList:
    """A list as a plan leaves it, with all of its members; `before` is None for a new one.

    `added`, `removed` and `changed` are the differences in members: of a changed one, what is said of it now.
    """

    read: ReadList
    before: StoredList | None
    added: tuple[ListMember, ...] = ()
    removed: tuple[ListMember, ...] = ()
    changed: tuple[ListMember, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything stored would change."""
        before = self.before
        return before is None or bool(self.added or self.removed or self.changed) or self.new_authors != before.authors

    @property
    def new_authors(self) -> frozenset[str]:
        """Who may write to it from then on."""
        return frozenset(self.read.authors)


def plan_list(read: ReadList, before: StoredList | None, unknown: Collection[str] = ()) -> PlannedList:
    """Return what becomes of the members of a list; who has one of the `unknown` numbers stays, if it is a member."""
    old: Mapping[str, ListMember] = before.members if before is not None else {}
    new = {member.number: member for member in read.members}
    new |= {number: member for number, member in old.items() if number in unknown and number not in new}
    return PlannedList(
        read=replace(read, members=tuple(new.values())),
        before=before,
        added=tuple(member for number, member in new.items() if number not in old),
        removed=tuple(member for number, member in old.items() if number not in new),
        changed=tuple(member for number, member in new.items() if number in old and old[number] != member),
    )
