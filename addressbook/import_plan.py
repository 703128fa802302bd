"""The effect of changes on the stored users, as a value that can be shown before it is applied.

Not here: the source of the changes (exchange), applying the plan (gateway.admin.user_import).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from addressbook.changes import ADDRESS, PROFILE, ChangeFault, ChangeFaultCode, UserChange
from addressbook.people import canonical_name
from addressbook.senders import DomainBar
from sms.facts import Code, Fact
from sms.settings import UNSET, format_setting

Bar = tuple[Code, Mapping[str, Fact]]
"""Why a value cannot be set, with its facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUser:
    """The stored data of one user: `cells` from an earlier source and those `pinned`, as text without origin."""

    id: int
    customer_id: int
    address: str
    name: str = ""
    active: bool = True
    phone: str = ""
    profile_id: int | None = None
    cells: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUser:
    """One user as in the source; `before` is None for a new one.

    `cells` and `pinned` have only changes, with None for a removal.
    """

    row: UserChange
    before: StoredUser | None
    name: str
    active: bool
    phone: str
    profile_id: int | None
    cells: Mapping[str, str | None]
    pinned: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether anything stored would change."""
        before = self.before
        return (
            before is None
            or bool(self.cells or self.pinned)
            or (before.name, before.active, before.phone, before.profile_id)
            != (self.name, self.active, self.phone, self.profile_id)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """The effect of applying changes. Stored users who are not in the source are counted and not changed.

    A change with a fault in any cell is not planned: no user is changed by half.
    """

    added: tuple[PlannedUser, ...] = ()
    changed: tuple[PlannedUser, ...] = ()
    unchanged: int = 0
    not_in_source: int = 0
    faults: tuple[ChangeFault, ...] = ()


def plan_import(  # noqa: PLR0913 - all that is known
    changes: Collection[UserChange],
    customer_id: int,
    profiles: Mapping[str, int],
    stored: Mapping[str, StoredUser],
    barred_domains: Mapping[str, DomainBar] = MappingProxyType({}),
    *,
    found: Collection[ChangeFault] = (),
    find_bar: Callable[[str, object], Bar | None] = lambda _field, _value: None,
) -> ImportPlan:
    """Return the effect of a source's changes; applying them twice changes nothing the second time.

    `found` are the faults from reading the source. `profiles` are the customer's by canonical name; `stored` has every
    known user by address, also those of other customers, who keep their addresses; the customer may not send for
    `barred_domains`. `find_bar` returns why a constraint bars a new value, and is called only for changed cells.
    """
    added, changed = list[PlannedUser](), list[PlannedUser]()
    unchanged = 0
    faults = list(found)
    faulty = {fault.place for fault in faults}
    for row in changes:
        before = stored.get(row.address)
        foreign = _find_foreign(row.address, before, customer_id, barred_domains)
        if foreign is not None:
            faults.append(_fault(row, ADDRESS, foreign, address=row.address))
            continue
        profile_id = _find_profile(row, before, profiles)
        if isinstance(profile_id, ChangeFault):
            # Do not use the default one instead: another cost centre might pay.
            faults.append(profile_id)
            continue
        planned = _plan_user(row, before, profile_id)
        barred = [
            _fault(row, row.columns[name], bar[0], **bar[1])
            for name in (*planned.cells, *planned.pinned)
            if (bar := find_bar(name, row.cells[name])) is not None
        ]
        faults += barred
        if barred or row.place in faulty:
            continue
        if before is None:
            added.append(planned)
        elif planned.differs:
            changed.append(planned)
        else:
            unchanged += 1
    in_source = {row.address for row in changes}
    return ImportPlan(
        added=tuple(added),
        changed=tuple(changed),
        unchanged=unchanged,
        not_in_source=sum(
            item.customer_id == customer_id and item.address not in in_source for item in stored.values()
        ),
        faults=tuple(sorted(faults, key=lambda fault: fault.place)),
    )


def _fault(row: UserChange, column: str, code: Code, **facts: Fact) -> ChangeFault:
    return ChangeFault(place=row.place, column=column, code=code, facts=facts)


def _find_foreign(
    address: str, before: StoredUser | None, customer_id: int, barred_domains: Mapping[str, DomainBar]
) -> ChangeFaultCode | None:
    bar = barred_domains.get(address.rpartition("@")[2])
    if bar is DomainBar.OF_ANOTHER or (before is not None and before.customer_id != customer_id):
        return ChangeFaultCode.FOREIGN_ADDRESS
    return ChangeFaultCode.OUTSIDE_DOMAINS if bar is not None else None


def _find_profile(row: UserChange, before: StoredUser | None, profiles: Mapping[str, int]) -> int | ChangeFault | None:
    if row.profile is None:
        return before.profile_id if before is not None else None
    if not row.profile:
        return None
    found = profiles.get(canonical_name(row.profile))
    if found is None:
        return _fault(row, PROFILE, ChangeFaultCode.NO_PROFILE, name=row.profile[:80])
    return found


def _plan_user(row: UserChange, before: StoredUser | None, profile_id: int | None) -> PlannedUser:
    cells: dict[str, str | None] = {}
    pinned: dict[str, str | None] = {}
    for name, value in row.cells.items():
        is_pinned = name in row.pinned
        stored = {} if before is None else before.pinned if is_pinned else before.cells
        text = None if value is UNSET else format_setting(value)
        if text != stored.get(name):
            (pinned if is_pinned else cells)[name] = text
    return PlannedUser(
        row=row,
        before=before,
        name=row.name if row.name is not None else (before.name if before is not None else ""),
        active=row.active if row.active is not None else (before.active if before is not None else True),
        phone=row.phone if row.phone is not None else (before.phone if before is not None else ""),
        profile_id=profile_id,
        cells=cells,
        pinned=pinned,
    )
