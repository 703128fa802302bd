"""What an address book file changes in what is stored, as a value that can be shown before it is applied.

Not here: reading the file (exchange), applying the plan (gateway.admin.users).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from addressbook.exchange import ADDRESS, PROFILE, FileFault, FileRow, PeopleFile
from addressbook.people import canonical_name
from sms.settings import UNSET, format_setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPerson:
    """What is stored of one person: `cells` that an earlier file said and those `pinned`, as text with no origin."""

    id: int
    customer_id: int
    address: str
    name: str = ""
    active: bool = True
    profile_id: int | None = None
    cells: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPerson:
    """One person as the file wants it; `before` is None for a new one.

    `cells` and `pinned` have only changes, None for a removal.
    """

    row: FileRow
    before: StoredPerson | None
    name: str
    active: bool
    profile_id: int | None
    cells: Mapping[str, str | None]
    pinned: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Tell whether anything stored would change."""
        before = self.before
        return (
            before is None
            or bool(self.cells or self.pinned)
            or (before.name, before.active, before.profile_id) != (self.name, self.active, self.profile_id)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What applying a file would do. People who are stored and not in the file are counted and left alone.

    A row with a fault, in whatever cell, is planned not at all: nobody is changed by half.
    """

    added: tuple[PlannedPerson, ...] = ()
    changed: tuple[PlannedPerson, ...] = ()
    unchanged: int = 0
    not_in_file: int = 0
    faults: tuple[FileFault, ...] = ()


def plan_import(  # noqa: PLR0913 - all that is known
    people_file: PeopleFile,
    customer_id: int,
    profiles: Mapping[str, int],
    stored: Mapping[str, StoredPerson],
    foreign_domains: Collection[str] = frozenset(),
    *,
    why_forbidden: Callable[[str, object], str] = lambda _field, _value: "",
) -> ImportPlan:
    """Return what a file changes; applied twice it changes nothing the second time.

    `profiles` are the customer's by canonical name; `stored` has every known person by address, those of other
    customers too, whose addresses stay theirs; `foreign_domains` are the domains of other customers. `why_forbidden`
    says why a constraint bars a new value, and is asked of changes only.
    """
    if people_file.damaged:
        return ImportPlan(faults=people_file.faults)
    added, changed = list[PlannedPerson](), list[PlannedPerson]()
    unchanged = 0
    faults = list(people_file.faults)
    faulty = {fault.line for fault in faults}
    for row in people_file.rows:
        before = stored.get(row.address)
        if _is_foreign(row.address, before, customer_id, foreign_domains):
            faults.append(FileFault(line=row.line, column=ADDRESS, text=f"{row.address} belongs to another customer"))
            continue
        profile_id = _find_profile(row, before, profiles)
        if isinstance(profile_id, FileFault):
            # Never the default one instead: perhaps another cost centre would pay.
            faults.append(profile_id)
            continue
        planned = _plan_person(row, before, profile_id)
        barred = [
            FileFault(line=row.line, column=row.columns[name], text=why)
            for name in (*planned.cells, *planned.pinned)
            if (why := why_forbidden(name, row.cells[name]))
        ]
        faults += barred
        if barred or row.line in faulty:
            continue
        if before is None:
            added.append(planned)
        elif planned.differs:
            changed.append(planned)
        else:
            unchanged += 1
    in_file = {row.address for row in people_file.rows}
    return ImportPlan(
        added=tuple(added),
        changed=tuple(changed),
        unchanged=unchanged,
        not_in_file=sum(item.customer_id == customer_id and item.address not in in_file for item in stored.values()),
        faults=tuple(sorted(faults, key=lambda fault: fault.line)),
    )


def _is_foreign(address: str, before: StoredPerson | None, customer_id: int, foreign_domains: Collection[str]) -> bool:
    if before is not None:
        return before.customer_id != customer_id
    return address.rpartition("@")[2] in foreign_domains


def _find_profile(row: FileRow, before: StoredPerson | None, profiles: Mapping[str, int]) -> int | FileFault | None:
    if row.profile is None:
        return before.profile_id if before is not None else None
    if not row.profile:
        return None
    found = profiles.get(canonical_name(row.profile))
    if found is None:
        return FileFault(line=row.line, column=PROFILE, text=f"there is no profile {row.profile[:80]!r}")
    return found


def _plan_person(row: FileRow, before: StoredPerson | None, profile_id: int | None) -> PlannedPerson:
    cells: dict[str, str | None] = {}
    pinned: dict[str, str | None] = {}
    for name, value in row.cells.items():
        is_pinned = name in row.pinned
        stored = {} if before is None else before.pinned if is_pinned else before.cells
        text = None if value is UNSET else format_setting(value)
        if text != stored.get(name):
            (pinned if is_pinned else cells)[name] = text
    return PlannedPerson(
        row=row,
        before=before,
        name=row.name if row.name is not None else (before.name if before is not None else ""),
        active=row.active if row.active is not None else (before.active if before is not None else True),
        profile_id=profile_id,
        cells=cells,
        pinned=pinned,
    )
