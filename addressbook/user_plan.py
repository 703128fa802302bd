"""The effect of one change on the stored user that it concerns, as a value that can be shown before it is applied.

Not here: which user a change concerns (sync_plan), the source of the changes (exchange, dirsync), storing the effect
(gateway.admin.user_import, gateway.directory_sync).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from addressbook.canonical import canonical_name
from addressbook.changes import PROFILE, ChangeFault, ChangeFaultCode, UserChange
from addressbook.people import Profile
from addressbook.senders import DomainBar
from sms.facts import Code, Fact
from sms.settings import UNSET, format_setting

Bar = tuple[Code, Mapping[str, Fact]]
"""Why a value cannot be set, with its facts."""


class UserAction(StrEnum):
    """What a plan does to one user, the weightiest of all that it does."""

    ADD = "add"
    REPLACE = "replace"  # a new person has the address of one whose entry is gone
    ADOPT = "adopt"  # the directory speaks from now on of a user that an administrator or a file made
    REVIVE = "revive"  # its entry is back, or enabled again
    STOP = "stop"  # disabled in the directory
    CHANGE = "change"
    SEEN = "seen"  # in the reading again after one without it
    UNSEEN = "unseen"  # not in a complete reading; a second one in a row makes it missing
    MISSING = "missing"  # its entry is gone: it cannot send
    REMOVE = "remove"  # another user has its address


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUser:
    """The stored data of one user: `cells` from its source and those `pinned`, as text without origin.

    `source` says who speaks of it: `manual`, `file` or `directory`; `directory_key` and `anchor` by which entry. An
    administrator decides `active`; its directory says that it is `disabled`, `unseen` once, or `missing`.
    """

    key: int
    customer_id: int
    address: str
    name: str = ""
    phone: str = ""
    active: bool = True
    profile_id: int | None = None
    source: str = "manual"
    directory_key: int | None = None
    anchor: str = ""
    disabled: bool = False
    unseen: bool = False
    missing: bool = False
    cells: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUser:
    """One user as a plan leaves it: `before` is None for a new one, and `after` has key 0 for one that gets a new key.

    `cells` and `pinned` are what is to be written, with None for a removal; those of an adopted user are all that its
    directory says, since they get its origin. `row` is the change behind it, None where the user was not in the source.
    Who was replaced is `before` of its successor, and in the plan's `removed`.
    """

    action: UserAction
    before: StoredUser | None
    after: StoredUser
    row: UserChange | None = None
    cells: Mapping[str, str | None] = field(default_factory=dict)
    pinned: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether the user gets a key of its own."""
        return self.action in _NEW

    @property
    def differs(self) -> bool:
        """Whether anything stored would change."""
        return self.is_new or bool(self.cells or self.pinned) or self.after != self.before


_NEW: Final = frozenset({UserAction.ADD, UserAction.REPLACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRules:
    """What binds a plan: whose users, by which directory (None: an administrator's file), with which limits.

    `profiles` are the customer's. It may not send for `barred_domains`. `find_bar` returns why a constraint bars a new
    value, and is called only for changed cells.
    """

    customer_id: int
    directory_key: int | None = None
    profiles: Collection[Profile] = ()
    barred_domains: Mapping[str, DomainBar] = field(default_factory=dict)
    find_bar: Callable[[str, object], Bar | None] = lambda _field, _value: None


def has_anchor(known: UserChange | StoredUser) -> bool:
    """Return whether an entry or user is known by more than its address, the anchor of what has no other."""
    return known.anchor not in ("", known.address)


def plan_user(
    row: UserChange, before: StoredUser | None, rules: PlanRules, profiles: Mapping[str, int]
) -> PlannedUser | tuple[ChangeFault, ...]:
    """Return what a change makes of a user, or all that is wrong with it: no user is changed by half.

    `profiles` are those of the rules by canonical name.
    """
    profile_id = _find_profile(row, before, profiles)
    if isinstance(profile_id, ChangeFault):
        return (profile_id,)  # not the default one instead: another cost centre might pay
    old = before or StoredUser(key=0, customer_id=rules.customer_id, address=row.address, source="file")
    adopted = rules.directory_key is not None and old.directory_key != rules.directory_key
    cells, pinned = _changed_cells(row, old, adopted=adopted)
    barred = tuple(
        ChangeFault(place=row.place, column=row.columns[name], entry=row.entry, code=bar[0], facts=bar[1])
        for name in (*cells, *pinned)
        if _differs(name, row, old) and (bar := rules.find_bar(name, row.cells[name])) is not None
    )
    if barred:
        return barred
    said = {"address": row.address, "name": row.name, "phone": row.phone, **_said_of(row, rules, adopted=adopted)}
    other = {name: value for name, value in said.items() if value is not None and value != getattr(old, name)}
    if profile_id != old.profile_id:
        other["profile_id"] = profile_id
    if cells or pinned:
        other |= {"cells": _merged(old.cells, cells), "pinned": _merged(old.pinned, pinned)}
    after = replace(old, **other) if other else old  # most entries of a reading say nothing new
    action = _action(before, after, adopted=adopted)
    return PlannedUser(action=action, before=before, after=after, row=row, cells=cells, pinned=pinned)


def _said_of(row: UserChange, rules: PlanRules, *, adopted: bool) -> dict[str, Any]:
    """Return what a source decides beside values: a directory whose user it is and whether it is there."""
    if rules.directory_key is None:
        return {"active": row.active}
    return {
        "source": "directory",
        "directory_key": rules.directory_key,
        "anchor": row.anchor if adopted or has_anchor(row) else None,
        "disabled": (False if adopted else None) if row.active is None else not row.active,
        "unseen": False,
        "missing": False,
    }


def _action(before: StoredUser | None, after: StoredUser, *, adopted: bool) -> UserAction:
    if before is None:
        return UserAction.ADD
    if adopted:
        return UserAction.ADOPT
    if (before.missing or before.disabled) and not (after.missing or after.disabled):
        return UserAction.REVIVE
    if (after.disabled and not before.disabled) or (before.active and not after.active):
        return UserAction.STOP
    if before.unseen and after == replace(before, unseen=False):
        return UserAction.SEEN
    return UserAction.CHANGE


def _find_profile(row: UserChange, before: StoredUser | None, profiles: Mapping[str, int]) -> int | ChangeFault | None:
    if row.profile is None:
        return before.profile_id if before is not None else None
    if not row.profile:
        return None
    found = profiles.get(canonical_name(row.profile))
    if found is None:
        facts = {"name": row.profile[:80]}
        return ChangeFault(
            place=row.place, column=PROFILE, entry=row.entry, code=ChangeFaultCode.NO_PROFILE, facts=facts
        )
    return found


def _text(value: object) -> str | None:
    return None if value is UNSET else format_setting(value)


def _differs(name: str, row: UserChange, old: StoredUser) -> bool:
    return _text(row.cells[name]) != (old.pinned if name in row.pinned else old.cells).get(name)


def _changed_cells(
    row: UserChange, old: StoredUser, *, adopted: bool
) -> tuple[dict[str, str | None], dict[str, str | None]]:
    cells: dict[str, str | None] = {}
    pinned: dict[str, str | None] = {}
    for name, value in row.cells.items():
        text = _text(value)
        if name in row.pinned:
            if text != old.pinned.get(name):
                pinned[name] = text
        elif text != old.cells.get(name) or (adopted and text is not None):
            cells[name] = text
    return cells, pinned


def _merged(stored: Mapping[str, str], changed: Mapping[str, str | None]) -> Mapping[str, str]:
    if not changed:
        return stored
    return {name: text for name, text in {**stored, **changed}.items() if text is not None}
