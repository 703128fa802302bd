"""addressbook.guard: how far a run may go by itself."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from addressbook.changes import ReadList, UserChange
from addressbook.guard import HoldCode, find_hold_reasons
from addressbook.list_plan import StoredList
from addressbook.lists import ListMember
from addressbook.runs import Reason
from addressbook.sources import Guard
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import StoredUser
from tests.kit.readings import DIRECTORY, RULES, applied, entry, person, reading

GUARD = Guard(percent=10, count=500)


def crowd(size: int) -> list[StoredUser]:
    """Return so many users, each with everything that can be lost."""
    cells = {"cost_centre": "4711", "sender_id": "+447700900123", "language": "de"}
    return [
        person(key, f"u{key}@example.com", f"a{key}", name="U", phone="447700900123", profile_id=11, cells=cells)
        for key in range(1, size + 1)
    ]


def same(user: StoredUser) -> UserChange:
    return entry(user.anchor, user.address)


Twist = Callable[[StoredUser], UserChange]

TWISTS: dict[str, tuple[Twist, HoldCode, str]] = {
    "disabled": (lambda user: replace(same(user), active=False), HoldCode.DEACTIVATIONS, ""),
    "new anchor": (lambda user: entry(f"new-{user.anchor}", user.address), HoldCode.REPLACEMENTS, ""),
    "no phone": (lambda user: replace(same(user), phone=""), HoldCode.BLANKED, "phone"),
    "no name": (lambda user: replace(same(user), name=""), HoldCode.BLANKED, "name"),
    "default profile": (lambda user: replace(same(user), profile=""), HoldCode.BLANKED, "profile"),
    "no cost centre": (lambda user: entry(user.anchor, user.address, cost_centre=""), HoldCode.BLANKED, "cost_centre"),
    "no language": (lambda user: entry(user.anchor, user.address, language=""), HoldCode.BLANKED, "language"),
    "other profile": (lambda user: replace(same(user), profile="Alarm"), HoldCode.CHANGED, "profile"),
    "other payer": (lambda user: entry(user.anchor, user.address, cost_centre="1"), HoldCode.CHANGED, "cost_centre"),
    "nobody pays": (
        lambda user: entry(user.anchor, user.address, cost_centre="<none>"),
        HoldCode.CHANGED,
        "cost_centre",
    ),
    "other sender": (
        lambda user: entry(user.anchor, user.address, sender_id="+447700900124"),
        HoldCode.CHANGED,
        "sender_id",
    ),
}


def plan_of(users: list[StoredUser], changed: int, twist: Twist) -> SyncPlan:
    return plan_sync(reading(*map(twist, users[:changed]), *map(same, users[changed:])), users, RULES)


def held(plan: SyncPlan, guard: Guard = GUARD, **earlier: int) -> list[HoldCode]:
    return [HoldCode(reason.code) for reason in find_hold_reasons(plan, guard, earlier)]


@pytest.mark.parametrize("name", TWISTS)
def test_what_happens_to_more_than_the_percentage_waits_for_approval(name: str) -> None:
    twist, code, field = TWISTS[name]
    users = crowd(100)
    assert held(plan_of(users, 10, twist)) == []
    (reason,) = find_hold_reasons(plan_of(users, 11, twist), GUARD, {})
    facts = {"count": 11, "earlier": 0, "of": 100, "most": 10} | ({"field": field} if field else {})
    assert reason == Reason(section="guard", code=code, facts=facts)


@pytest.mark.parametrize("name", TWISTS)
def test_of_many_users_the_count_is_what_stops_a_run(name: str) -> None:
    twist, code, _ = TWISTS[name]
    assert held(plan_of(crowd(100), 5, twist), Guard(percent=10, count=5)) == []
    assert held(plan_of(crowd(100), 6, twist), Guard(percent=10, count=5)) == [code]


@pytest.mark.parametrize("size", [6, 19])
@pytest.mark.parametrize("name", TWISTS)
def test_of_few_users_five_may_change(size: int, name: str) -> None:
    twist, code, _ = TWISTS[name]
    assert held(plan_of(crowd(size), 5, twist)) == []
    assert held(plan_of(crowd(size), 6, twist)) == [code]


def test_people_who_are_gone_are_counted_when_they_would_be_missing() -> None:
    users = crowd(100)
    first = plan_sync(reading(*map(same, users[11:])), users, RULES)
    assert held(first) == []
    second = plan_sync(reading(*map(same, users[11:])), applied(first, users), RULES)
    assert held(second) == [HoldCode.REMOVALS]
    deleted = plan_sync(reading(complete=False, gone=[user.anchor for user in users[:11]]), users, RULES)
    assert held(deleted) == [HoldCode.REMOVALS]


def test_ten_runs_of_nine_percent_are_not_ten_small_runs() -> None:
    users, earlier, runs = crowd(100), Counter[str](), list[tuple[Reason, ...]]()
    while len(runs) < 10 and not any(runs):
        gone = [user.anchor for user in users if not user.missing][:9]
        plan = plan_sync(reading(complete=False, gone=gone), users, RULES)
        runs.append(find_hold_reasons(plan, GUARD, earlier))
        users = applied(plan, users)
        earlier.update(plan.counts)
    (reason,) = runs[1]
    assert reason.facts == {"count": 9, "earlier": 9, "of": 100, "most": 10}


def test_what_was_done_before_holds_no_run_that_adds_nothing_to_it() -> None:
    users = crowd(100)
    assert held(plan_of(users, 0, same), missing=10, disabled=10) == []
    assert held(plan_of(users, 1, TWISTS["disabled"][0]), disabled=10) == [HoldCode.DEACTIVATIONS]


def test_an_empty_reading_is_called_an_empty_source_however_small_the_directory() -> None:
    plan = plan_sync(reading(), crowd(2), RULES)
    (reason,) = find_hold_reasons(plan, GUARD, {})
    assert (reason.code, reason.facts) == (HoldCode.SOURCE_EMPTY, {"of": 2})
    assert held(plan_sync(reading(), [], RULES)) == []
    assert held(plan_sync(reading(complete=False), crowd(2), RULES)) == []
    assert held(plan_sync(reading(faulty=["a1"]), crowd(2), RULES)) == []


def test_changed_options_wait_for_approval_whatever_they_change_but_not_before_there_are_users() -> None:
    users = crowd(2)
    plan = plan_sync(reading(*map(same, users)), users, RULES)
    reasons = find_hold_reasons(plan, GUARD, {}, options_changed=True)
    assert reasons == (Reason(section="guard", code=HoldCode.OPTIONS_CHANGED, facts={"of": 2}),)
    assert find_hold_reasons(plan_sync(reading(), [], RULES), GUARD, {}, options_changed=True) == ()


def test_a_first_reading_may_add_as_many_as_it_has() -> None:
    assert held(plan_sync(reading(*map(same, crowd(1_000))), [], RULES)) == []


def test_a_first_reading_that_changes_the_users_of_a_file_waits() -> None:
    of_file = [replace(user, directory_key=None, anchor="", source="file") for user in crowd(100)]
    entries = [entry(f"a{user.key}", user.address, cost_centre="4711") for user in of_file]
    assert held(plan_sync(reading(*entries), of_file, RULES)) == []
    others = [entry(f"a{user.key}", user.address, cost_centre="1") for user in of_file]
    assert held(plan_sync(reading(*others), of_file, RULES)) == [HoldCode.CHANGED]


def test_a_first_value_of_a_field_is_counted_where_it_says_who_pays() -> None:
    users = [replace(user, cells={}) for user in crowd(100)]
    entries = [entry(user.anchor, user.address, cost_centre="1", language="de") for user in users]
    (reason,) = find_hold_reasons(plan_sync(reading(*entries), users, RULES), GUARD, {})
    assert (reason.code, reason.facts["field"]) == (HoldCode.CHANGED, "cost_centre")


def crew(*keys: int) -> tuple[ListMember, ...]:
    return tuple(ListMember(number=f"4477009{key:05}") for key in keys)


@pytest.mark.parametrize(("size", "left", "most"), [(100, 11, 10), (10, 6, 5)])
def test_members_who_leave_a_list_are_counted_of_that_list(size: int, left: int, most: int) -> None:
    stored = StoredList(
        name="crew", directory_key=DIRECTORY, members={item.number: item for item in crew(*range(size))}
    )

    def without(number: int) -> SyncPlan:
        read = ReadList(name="crew", members=crew(*range(number, size)))
        return plan_sync(reading(complete=False, lists=[read]), crowd(1_000), RULES, [stored])

    assert held(without(left - 1)) == []
    (reason,) = find_hold_reasons(without(left), GUARD, {})
    assert reason.facts == {"list": "crew", "count": left, "earlier": 0, "of": size, "most": most}


def test_members_who_come_to_a_list_never_hold_a_run() -> None:
    read = ReadList(name="crew", members=crew(*range(100)))
    assert held(plan_sync(reading(complete=False, lists=[read]), [], RULES)) == []
