"""Readings of a directory and stored users, as values: what plans are tested with."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from addressbook.changes import ChangeFault, Reading, ReadList, UserChange
from addressbook.people import Profile
from addressbook.sync_plan import SyncPlan
from addressbook.user_plan import PlanRules, StoredUser
from sms.settings import UNSET, parse_setting

CUSTOMER, DIRECTORY = 1, 7
PROFILES = (Profile(key=11, customer_id=CUSTOMER, name="Standard"), Profile(key=12, customer_id=CUSTOMER, name="Alarm"))
RULES = PlanRules(customer_id=CUSTOMER, directory_key=DIRECTORY, profiles=PROFILES)


def entry(
    anchor: str,
    address: str,
    *,
    name: str | None = None,
    phone: str | None = None,
    profile: str | None = None,
    active: bool | None = None,
    **cells: str,
) -> UserChange:
    """Return what an entry says; an empty setting is one of which it says nothing, and what was said is taken back."""
    values = {field: parse_setting(field, text) if text else UNSET for field, text in cells.items()}
    return UserChange(
        place=0,
        anchor=anchor,
        address=address,
        name=name,
        phone=phone,
        profile=profile,
        active=active,
        cells=values,
        columns={field: f"x-{field}" for field in cells},
    )


def reading(
    *changes: UserChange,
    complete: bool = True,
    gone: Iterable[str] = (),
    faults: Iterable[ChangeFault] = (),
    faulty: Iterable[str] = (),
    lists: Iterable[ReadList] = (),
) -> Reading:
    """Return a reading of these entries, each at its place in it."""
    return Reading(
        source="ldap:office",
        complete=complete,
        changes=tuple(replace(change, place=place) for place, change in enumerate(changes, 1)),
        gone=frozenset(gone),
        faults=tuple(faults),
        faulty=frozenset(faulty),
        lists=tuple(lists),
    )


def person(key: int, address: str, anchor: str = "", **given: object) -> StoredUser:
    """Return a stored user of the directory, or with an empty `directory_key` of none."""
    facts: dict[str, Any] = {"customer_id": CUSTOMER, "directory_key": DIRECTORY, "source": "directory", **given}
    return StoredUser(key=key, address=address, anchor=anchor, **facts)


def applied(plan: SyncPlan, stored: Iterable[StoredUser]) -> list[StoredUser]:
    """Return the stored users after a plan."""
    users = {user.key: user for user in stored}
    for user in plan.removed:
        del users[user.key]
    for planned in plan.users:
        key = planned.after.key or max(users, default=0) + 1
        users[key] = replace(planned.after, key=key)
    return list(users.values())
