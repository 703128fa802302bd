"""The effect of one reading of users on the stored ones, as a value that can be shown, counted, held and applied.

A directory's reading and an administrator's file make the same plan; a file has no anchors and takes nobody away. An
entry is its user by its anchor, else by its address. An address stays with who has it: another entry gets it only where
its owner gets another one in the same run, or its owner's entry is gone. A row with a fault changes nothing, and its
user keeps all that it has, its address too.

Not here: what becomes of one user (user_plan), whether a plan may be applied without being asked (guard), applying it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from addressbook.canonical import canonical_name
from addressbook.changes import ADDRESS, ChangeFault, ChangeFaultCode, Reading, UserChange
from addressbook.list_plan import PlannedList, StoredList, plan_list
from addressbook.run_lines import digest_of, line_of_removed, lines_of_list, lines_of_user
from addressbook.runs import RunLine
from addressbook.senders import DomainBar
from addressbook.user_plan import PlannedUser, PlanRules, StoredUser, UserAction, has_anchor, plan_user
from sms.facts import Code, Fact
from sms.settings import FIELDS, NONE

LISTS: Final = "list"
UNCHANGED: Final = "unchanged"
FAULTS: Final = "faults"
DISABLED: Final = "disabled"
BLANKED: Final = "blanked."
CHANGED: Final = "changed."
LEFT: Final = "left."
"""The names of what is counted beside the actions; the last three are followed by a field, or a list's name."""

GUARDED_FIELDS: Final = ("sender_id", "cost_centre", "profile")
"""The fields of which other values are counted, too: who is seen as the sender, and who pays."""

_BLANKABLE: Final = frozenset({"name", "phone", "profile", *FIELDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """The effect of applying a reading. A change with a fault is not planned: no user is changed by half.

    `users` are those that differ, and `removed` those who end, since another user gets their address. `population` is
    how many users the directory had who are not missing, with those that it adopts; `left_alone` the customer's other
    users who are not in the source. `counts` has numbers of users by action and of those who are DISABLED, UNCHANGED,
    or lose or change a field (BLANKED, CHANGED), of LISTS and members who LEFT one, and of FAULTS; none that is 0.
    """

    users: tuple[PlannedUser, ...] = ()
    removed: tuple[StoredUser, ...] = ()
    lists: tuple[PlannedList, ...] = ()
    unchanged: int = 0
    left_alone: int = 0
    population: int = 0
    source_is_empty: bool = False
    faults: tuple[ChangeFault, ...] = ()
    lines: tuple[RunLine, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def of(self, *actions: UserAction) -> tuple[PlannedUser, ...]:
        """Return the users to which one of these is done."""
        return tuple(planned for planned in self.users if planned.action in actions)

    @property
    def digest(self) -> str:
        """What names the difference, whatever the order of the source."""
        return digest_of(self.lines)


def plan_sync(
    reading: Reading, stored: Collection[StoredUser], rules: PlanRules, lists: Iterable[StoredList] = ()
) -> SyncPlan:
    """Return the effect of a reading; applying it twice changes nothing the second time.

    `stored` has the customer's users and those of others that have an address of the reading; `lists` the customer's.
    """
    return _Planner(reading, stored, rules).plan({canonical_name(item.name): item for item in lists})


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry:
    """A change with its user, and what was found of it."""

    row: UserChange
    before: StoredUser | None
    planned: PlannedUser | None = None
    faults: list[ChangeFault] = field(default_factory=list)
    faulty: bool = False

    def refuse(self, code: Code, **facts: Fact) -> None:
        """Record what is wrong with the address."""
        self.faulty = True
        row = self.row
        self.faults.append(ChangeFault(place=row.place, entry=row.entry, column=ADDRESS, code=code, facts=facts))


class _Planner:
    """The steps of one plan: match, judge every row by itself, give addresses, then what is not in the reading."""

    def __init__(self, reading: Reading, stored: Collection[StoredUser], rules: PlanRules) -> None:
        self._reading = reading
        self._rules = rules
        self._stored = stored
        self._by_address = {user.address: user for user in stored}
        self._own = {user.key: user for user in stored if self._is_own(user)}
        self._entries = list(self._match())
        self._entry_of = {entry.before.key: entry for entry in self._entries if entry.before is not None}
        self._seen = set(self._entry_of)
        self._seen.update(user.key for user in self._own.values() if user.anchor and user.anchor in reading.faulty)

    def plan(self, lists: Mapping[str, StoredList]) -> SyncPlan:
        reading, rules = self._reading, self._rules
        self._judge_rows()
        self._give_addresses()
        removed = self._replace()
        planned = [entry.planned for entry in self._entries if entry.planned is not None and not entry.faulty]
        planned += self._mark(removed)
        users = [user for user in planned if user.differs]
        planned_lists, list_faults = self._plan_lists(lists)
        names = {profile.key: profile.name for profile in rules.profiles}
        replaced = {user.before.key for user in users if user.action is UserAction.REPLACE and user.before is not None}
        lines = [line for user in users for line in lines_of_user(user, names)]
        lines += [line_of_removed(user, names) for key, user in removed.items() if key not in replaced]
        lines += [line for item in planned_lists for line in lines_of_list(item)]
        faults = [*reading.faults, *(fault for entry in self._entries for fault in entry.faults), *list_faults]
        counts = _count(users, planned_lists, lines)
        counts[UNCHANGED] += len(planned) - len(users)
        counts[FAULTS] += len(faults)
        counts[UserAction.REMOVE.value] += len(removed) - len(replaced)
        had = sum(not user.missing for user in self._own.values())
        return SyncPlan(
            users=tuple(users),
            removed=tuple(removed.values()),
            lists=tuple(planned_lists),
            unchanged=counts[UNCHANGED],
            left_alone=sum(
                user.customer_id == rules.customer_id and user.key not in self._own and user.key not in self._seen
                for user in self._stored
            ),
            population=had + sum(user.action is UserAction.ADOPT for user in users),
            source_is_empty=reading.complete and not reading.changes and not reading.faulty and had > 0,
            faults=tuple(sorted(faults, key=lambda fault: fault.place)),
            lines=tuple(sorted(lines, key=lambda line: (line.target, line.action, line.field, line.before))),
            counts=dict(+counts),
        )

    def _is_own(self, user: StoredUser) -> bool:
        key = self._rules.directory_key
        return key is not None and user.directory_key == key

    def _match(self) -> Iterator[_Entry]:
        """Yield each entry once, however often it was read, with its user: by anchor, else by address."""
        known = {user.anchor: user for user in self._own.values() if user.anchor}
        rows = {row.anchor or f"\0{place}": row for place, row in enumerate(self._reading.changes)}
        taken = {known[anchor].key for anchor in rows if anchor in known}
        for anchor, row in rows.items():
            before = known.get(anchor)
            owner = self._by_address.get(row.address)
            if before is None and owner is not None and owner.key not in taken and self._takes_over(row, owner):
                before = owner
            yield _Entry(row=row, before=before)

    def _takes_over(self, row: UserChange, owner: StoredUser) -> bool:
        """Return whether the user of an address is that of an entry of which we know nothing else."""
        if owner.customer_id != self._rules.customer_id:
            return False
        if self._is_own(owner):
            return not (has_anchor(owner) and has_anchor(row))
        return self._rules.directory_key is None or owner.directory_key is None or owner.missing

    def _judge_rows(self) -> None:
        """Plan each row by itself; what was found in reading it counts as well."""
        reading, rules = self._reading, self._rules
        profiles = {canonical_name(profile.name): profile.key for profile in rules.profiles}
        places = {fault.place for fault in reading.faults}
        for entry in self._entries:
            row, before = entry.row, entry.before
            entry.faulty = row.place in places or row.anchor in reading.faulty
            if not row.address:
                if not entry.faulty:
                    entry.refuse(ChangeFaultCode.NO_ADDRESS)
                continue
            planned = plan_user(row, before, rules, profiles)
            if not isinstance(planned, PlannedUser):
                entry.faults += planned
                entry.faulty = True
            elif rules.directory_key is None and before is not None and _speaks_for_directory(planned, before):
                entry.refuse(ChangeFaultCode.OF_DIRECTORY, address=row.address)
            else:
                entry.planned = planned

    def _give_addresses(self) -> None:
        """Refuse each row whose address is not free for it; who is refused keeps its own, which no other row gets."""
        claims = defaultdict[str, list[_Entry]](list)
        for entry in self._entries:
            claims[entry.row.address].append(entry)
        for entry in self._entries:
            address = entry.row.address
            code = None if entry.faulty else self._why_not(entry, claims[address])
            if code is ChangeFaultCode.ADDRESS_TWICE:
                entry.refuse(code, address=address, rows=len(claims[address]))
            elif code is not None:
                entry.refuse(code, address=address)
        kept = [entry.before for entry in self._entries if entry.faulty and entry.before is not None]
        while kept:
            keeper = kept.pop()
            for entry in claims.pop(keeper.address, ()):
                if not entry.faulty and entry.before is not keeper:
                    entry.refuse(ChangeFaultCode.ADDRESS_TAKEN, address=entry.row.address)
                    if entry.before is not None:
                        kept.append(entry.before)

    def _why_not(self, entry: _Entry, claims: Collection[_Entry]) -> ChangeFaultCode | None:
        """Return why an entry cannot have its address; that its owner gives it up is believed until it is refused."""
        address = entry.row.address
        owner = self._by_address.get(address)
        bar = self._rules.barred_domains.get(address.rpartition("@")[2])
        if bar is DomainBar.OF_ANOTHER or (owner is not None and owner.customer_id != self._rules.customer_id):
            return ChangeFaultCode.FOREIGN_ADDRESS
        if bar is not None:
            return ChangeFaultCode.OUTSIDE_DOMAINS
        if owner is not None and self._stays(owner):
            return None if entry is self._entry_of[owner.key] else ChangeFaultCode.ADDRESS_TAKEN
        if len(claims) > 1:
            return ChangeFaultCode.ADDRESS_TWICE
        if owner is None or owner is entry.before or self._gives_way(owner):
            return None
        of_another = owner.directory_key is not None and not self._is_own(owner)
        return ChangeFaultCode.OF_DIRECTORY if of_another else ChangeFaultCode.ADDRESS_TAKEN

    def _stays(self, owner: StoredUser) -> bool:
        """Return whether the entry of a user, known by its anchor, has the same address as before."""
        entry = self._entry_of.get(owner.key)
        if entry is None or not owner.anchor or not self._is_own(owner):
            return False
        return (entry.row.anchor, entry.row.address) == (owner.anchor, owner.address)

    def _gives_way(self, owner: StoredUser) -> bool:
        """Return whether a user of this directory leaves its address: for another one, or since its entry is gone."""
        if not self._is_own(owner):
            return False
        entry = self._entry_of.get(owner.key)
        return not entry.faulty if entry is not None else owner.key not in self._seen and self._is_gone(owner)

    def _is_gone(self, user: StoredUser) -> bool:
        return self._reading.complete or user.missing or user.anchor in self._reading.gone

    def _replace(self) -> dict[int, StoredUser]:
        """Return, by key, whose address another user gets, since the entry is gone."""
        removed: dict[int, StoredUser] = {}
        for entry in self._entries:
            owner = self._by_address.get(entry.row.address)
            if entry.faulty or entry.planned is None or owner is None or owner.key in self._entry_of:
                continue
            removed[owner.key] = owner
            if entry.before is None:
                entry.planned = replace(entry.planned, action=UserAction.REPLACE, before=owner)
        return removed

    def _mark(self, removed: Collection[int]) -> Iterator[PlannedUser]:
        """Yield what becomes of the directory's users by being in the reading, or not, and nothing else."""
        for user in self._own.values():
            entry = self._entry_of.get(user.key)
            if user.missing or user.key in removed or (entry is not None and not entry.faulty):
                continue
            if user.key in self._seen:
                if user.unseen:
                    yield PlannedUser(action=UserAction.SEEN, before=user, after=replace(user, unseen=False))
            elif user.anchor in self._reading.gone or (self._reading.complete and user.unseen):
                yield PlannedUser(
                    action=UserAction.MISSING, before=user, after=replace(user, unseen=False, missing=True)
                )
            elif self._reading.complete:
                yield PlannedUser(action=UserAction.UNSEEN, before=user, after=replace(user, unseen=True))

    def _plan_lists(self, stored: Mapping[str, StoredList]) -> tuple[list[PlannedList], list[ChangeFault]]:
        planned, faults = list[PlannedList](), list[ChangeFault]()
        at_fault = [entry for entry in self._entries if entry.faulty and not entry.row.phone]
        unknown = {entry.before.phone for entry in at_fault if entry.before is not None}
        for read in self._reading.lists:
            before = stored.get(canonical_name(read.name))
            if before is not None and before.directory_key != self._rules.directory_key:
                code, facts = ChangeFaultCode.LIST_TAKEN, {"name": read.name}
                faults.append(ChangeFault(place=0, code=code, facts=facts))
                continue
            found = plan_list(read, before, unknown)
            if found.differs:
                planned.append(found)
        return planned, faults


def _speaks_for_directory(planned: PlannedUser, before: StoredUser) -> bool:
    """Return whether an administrator's file changes what a directory says of a user; its pins may differ."""
    changed = planned.cells or replace(planned.after, pinned=before.pinned) != before
    return before.directory_key is not None and bool(changed)


def _count(users: Iterable[PlannedUser], lists: Iterable[PlannedList], lines: Iterable[RunLine]) -> Counter[str]:
    counts = Counter[str]()
    for user in users:
        counts[user.action.value] += 1
        before = None if user.is_new else user.before
        counts[DISABLED] += before is not None and user.after.disabled and not before.disabled
    for line in lines:
        if line.field in _BLANKABLE and line.before not in {"", NONE} and not line.after:
            counts[BLANKED + line.field] += 1
        elif line.field in GUARDED_FIELDS:
            counts[CHANGED + line.field] += 1
    for item in lists:
        counts[LISTS] += 1
        counts[LEFT + item.read.name] += len(item.removed)
    return counts
