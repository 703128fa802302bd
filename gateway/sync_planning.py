"""What a reading of a directory would change now: the plan, made upon one consistent read of the database.

Not here: the rules of the plan (addressbook.sync_plan, addressbook.guard), storing it (directory_sync).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from addressbook.canonical import canonical_name
from addressbook.changes import ChangeFault, Reading
from addressbook.guard import find_hold_reasons
from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.list_plan import PlannedList, StoredList
from addressbook.lists import ListMember
from addressbook.runs import NotTaken, Reason, RunMode
from addressbook.source_options import options_digest
from addressbook.sources import CustomerDirectory
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import PlannedUser
from gateway.admin.plan_input import plan_rules, stored_people, stored_users
from store.directories import find_directory_by_key
from store.directory import read_version
from store.directory_changes import CellToStore
from store.directory_lookup import find_customer_by_key
from store.directory_runs import ListSet, PlannedRun, Run, StagedPortion, UserVersion, applied_since, find_held
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.lists import find_list, read_members
from store.stored_people import ListPlace, StoredPerson, list_places

_DAY = int(timedelta(days=1).total_seconds()) * 1_000_000
_LINES_IN_A_PORTION = 200
_MEMBERS_IN_A_PORTION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSync:
    """A plan with what it was made upon. `waiting` is the run that waits for approval already."""

    plan: SyncPlan
    reading: Reading
    base_version: int
    options_digest: str
    held_for: tuple[Reason, ...]
    people: Mapping[int, StoredPerson]
    places: Mapping[str, ListPlace]
    waiting: Run | None

    @property
    def changes_nothing(self) -> bool:
        """Whether everything is so already."""
        return not (self.plan.users or self.plan.removed or self.plan.lists)

    @property
    def faults(self) -> tuple[NotTaken, ...]:
        """Return the entries and rows that are left as they are."""
        rows = {change.place: change.address or change.entry for change in self.reading.changes}
        of_file = not self.reading.source.startswith("ldap:")
        return tuple(not_taken(fault, rows, of_file=of_file) for fault in self.plan.faults)


def plan_now(tx: Transaction, directory: CustomerDirectory, reading: Reading, now: int) -> PlannedSync:
    """Return what a reading would change, and why that has to wait for approval, if it has; `now` in microseconds."""
    customer = find_customer_by_key(tx, directory.customer_id)
    assert customer is not None
    addresses = {change.address for change in reading.changes if change.address}
    people = stored_people(tx, customer, addresses, directory.key)
    places = {canonical_name(place.name): place for place in list_places(tx, customer.key)}
    lists = [_stored_list(tx, customer.key, read.name, places) for read in reading.lists]
    rules = plan_rules(tx, customer, addresses, directory.key)
    plan = plan_sync(reading, stored_users(tx, customer, people), rules, [item for item in lists if item is not None])
    digest = options_digest(directory)
    known = find_directory_by_key(tx, directory.key)
    changed = known is not None and known.digest not in ("", digest)
    reasons = find_hold_reasons(plan, directory.guard, _earlier(tx, directory.key, now), options_changed=changed)
    return PlannedSync(
        plan=plan,
        reading=reading,
        base_version=read_version(tx),
        options_digest=digest,
        held_for=reasons,
        people={person.user_key: person for person in people if person.customer_key == customer.key},
        places=places,
        waiting=find_held(tx, directory.key),
    )


def _stored_list(tx: Transaction, customer_id: int, name: str, places: Mapping[str, ListPlace]) -> StoredList | None:
    place, found = places.get(canonical_name(name)), find_list(tx, customer_id, name)
    if place is None or found is None:
        return None
    members = {member.number: member for member in read_members(tx, place.key)}
    return StoredList(name=place.name, directory_key=place.directory_key, authors=found.authors, members=members)


def _earlier(tx: Transaction, directory_key: int, now: int) -> Counter[str]:
    """Return the sums of what runs of the last day did that nobody approved, back to the last that somebody did."""
    counts = Counter[str]()
    for run in applied_since(tx, directory_key, now - _DAY):
        if run.approved_by:
            break
        counts.update(run.result().counts)
    return counts


def not_taken(fault: ChangeFault, names: Mapping[int, str] = MappingProxyType({}), *, of_file: bool = True) -> NotTaken:
    """Return a fault as it is told: in a file by its line, else by the name of the entry at its place."""
    reason = Reason(section="row", code=fault.code.value, facts=fault.facts)
    line, who = fault.place if of_file else 0, names.get(fault.place, "")
    return NotTaken(reason=reason, line=line, who=who, column=fault.column)


def planned_run(found: PlannedSync, keys: Keys) -> PlannedRun:
    """Return what of a plan is stored with its run; each list that changes gets the key of a new set of members."""
    return PlannedRun(
        mode=RunMode.FULL if found.reading.complete else RunMode.DELTA,
        source=found.reading.source,
        digest="" if found.changes_nothing else found.plan.digest,
        counts=found.plan.counts,
        cookie=found.reading.cookie,
        options_digest=found.options_digest,
        base_version=found.base_version,
        held_for=found.held_for,
        faults=found.faults,
        lists=tuple(_list_set(item, found.places, keys) for item in found.plan.lists),
    )


def _list_set(planned: PlannedList, places: Mapping[str, ListPlace], keys: Keys) -> ListSet:
    place = places.get(canonical_name(planned.read.name))
    columns = tuple(dict.fromkeys(column for member in planned.read.members for column in member.values))
    before = planned.before.authors if planned.before is not None else frozenset[str]()
    return ListSet(
        list_key=place.key if place is not None else keys.take(),
        name=planned.read.name,
        members_key=keys.take(),
        replaces=place.members_key if place is not None else 0,
        columns=columns,
        authors=tuple(sorted(planned.new_authors)) if planned.new_authors != before else None,
    )


def portions(found: PlannedSync, run: Run, keys: Keys, most: int, now: int) -> Iterator[StagedPortion]:
    """Yield a plan in portions of up to so many users, each for a transaction of its own."""
    removed = found.plan.removed
    # Neighbours in the index of addresses are written together: fewer pages for each commit.
    changed = sorted(found.plan.users, key=lambda user: user.after.address)
    versions = [
        *(UserVersion(user_key=user.key, ended=True) for user in removed),
        *(_version(user, found, keys, now) for user in changed),
    ]
    moving = frozenset(version.user_key for version in versions)
    for start in range(0, len(versions), most):
        yield StagedPortion(run=run, users=versions[start : start + most], moving=moving)
    lines = found.plan.lines
    for start in range(0, len(lines), _LINES_IN_A_PORTION):
        yield StagedPortion(run=run, lines=lines[start : start + _LINES_IN_A_PORTION], moving=moving)
    for item, planned in zip(run.sets, found.plan.lists, strict=True):
        numbered: list[tuple[int, ListMember]] = list(enumerate(planned.read.members, start=1))
        for start in range(0, len(numbered), _MEMBERS_IN_A_PORTION):
            members = numbered[start : start + _MEMBERS_IN_A_PORTION]
            yield StagedPortion(run=run, members={item.members_key: members}, moving=moving)


def _version(planned: PlannedUser, found: PlannedSync, keys: Keys, now: int) -> UserVersion:
    after = planned.after
    key = keys.take() if planned.is_new else after.key
    before = None if planned.is_new else found.people.get(after.key)
    return UserVersion(
        user_key=key,
        is_new=planned.is_new,
        address=after.address,
        name=after.name,
        phone=after.phone,
        active=after.active,
        profile_key=after.profile_id,
        anchor=after.anchor,
        disabled=after.disabled,
        unseen_at=_since(now, before.unseen_at if before is not None else None, holds=after.unseen),
        missing_at=_since(now, before.missing_at if before is not None else None, holds=after.missing),
        cells=tuple(_cells(planned, found.reading, key)),
    )


def _since(now: int, before: int | None, *, holds: bool) -> int | None:
    return (now if before is None else before) if holds else None


def _cells(planned: PlannedUser, reading: Reading, key: int) -> Iterator[CellToStore]:
    row = planned.row
    if row is None:
        return
    for kind, cells in ((LayerKind.USER, planned.cells), (LayerKind.PINNED, planned.pinned)):
        for name, text in cells.items():
            yield CellToStore(key=LayerKey(kind, key), field=name, text=text, origin=reading.origin(row, name))


def summary(counts: Mapping[str, int]) -> str:
    """Return the counts of a run in one line for the audit."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nothing"
