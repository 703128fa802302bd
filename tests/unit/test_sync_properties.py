"""addressbook.sync_plan, whatever is read and stored: what every plan keeps to."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from addressbook.changes import Reading, UserChange
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import StoredUser, UserAction
from tests.kit.readings import CUSTOMER, DIRECTORY, RULES, applied, entry, person, reading

ADDRESSES = st.sampled_from([f"{name}@example.com" for name in "abcde"])
ANCHORS = st.sampled_from("ABCDE")
CELLS = st.dictionaries(st.sampled_from(["cost_centre", "language"]), st.sampled_from(["", "de", "es", "<none>"]))


def _anchor(anchor: str, address: str) -> str:
    """Return the anchor; E stands for that of an entry of a file that has none."""
    return address if anchor == "E" and address else anchor


def _of(kind: tuple[int, int | None], user: StoredUser) -> StoredUser:
    customer, directory = kind
    own = directory is not None
    return replace(
        user,
        customer_id=customer,
        directory_key=directory,
        source="directory" if own else "manual",
        anchor=_anchor(user.anchor, user.address) if own else "",
        unseen=own and user.unseen and not user.missing,
        missing=own and user.missing,
        disabled=own and user.disabled,
    )


KINDS = st.sampled_from(
    [(CUSTOMER, DIRECTORY)] * 3 + [(CUSTOMER, None), (CUSTOMER, DIRECTORY + 1), (CUSTOMER + 1, DIRECTORY + 2)]
)
STORED = st.lists(
    st.builds(
        _of,
        KINDS,
        st.builds(
            person,
            st.just(0),
            ADDRESSES,
            ANCHORS,
            unseen=st.booleans(),
            missing=st.booleans(),
            disabled=st.booleans(),
            cells=CELLS.map(lambda cells: {name: text for name, text in cells.items() if text}),
            pinned=st.sampled_from([{}, {"cost_centre": "9"}]),
        ),
    ),
    max_size=5,
    unique_by=(lambda user: user.address, lambda user: user.anchor or user.address),
).map(lambda users: [replace(user, key=key) for key, user in enumerate(users, 1)])


def _entry(anchor: str, address: str, profile: str | None, active: bool | None, cells: dict[str, str]) -> UserChange:
    return entry(_anchor(anchor, address), address, profile=profile, active=active, **cells)


ENTRIES = st.lists(
    st.builds(
        _entry,
        ANCHORS,
        ADDRESSES | st.just(""),
        st.sampled_from([None, None, "", "Alarm", "Nope"]),
        st.sampled_from([None, True, False]),
        CELLS,
    ),
    max_size=5,
    unique_by=lambda change: change.anchor,
)
READINGS = st.builds(
    lambda changes, complete, gone, faulty: reading(
        *changes, complete=complete, gone=frozenset[str]() if complete else gone, faulty=faulty
    ),
    ENTRIES,
    st.booleans(),
    st.frozensets(ANCHORS),
    st.frozensets(ANCHORS, max_size=1),
)


def plan(read: Reading, stored: list[StoredUser]) -> SyncPlan:
    return plan_sync(read, stored, RULES)


@given(READINGS, STORED)
def test_a_plan_applied_again_changes_nothing_but_that_who_is_away_twice_is_missing(
    read: Reading, stored: list[StoredUser]
) -> None:
    after = applied(plan(read, stored), stored)
    second = plan(read, after)
    assert {planned.action for planned in second.users} <= {UserAction.MISSING}
    assert second.removed == ()
    third = plan(read, applied(second, after))
    assert (third.users, third.removed, third.lines) == ((), (), ())


@given(READINGS, STORED, st.randoms(use_true_random=False))
def test_the_digest_depends_on_no_order(read: Reading, stored: list[StoredUser], chance: st.DataObject) -> None:
    made = plan(read, stored)
    changes, others = list(read.changes), list(stored)
    chance.shuffle(changes)  # type: ignore[attr-defined]  # hypothesis types randoms() as a strategy of Random
    chance.shuffle(others)  # type: ignore[attr-defined]
    again = plan(replace(read, changes=tuple(changes)), others)
    assert (again.digest, again.counts, again.lines) == (made.digest, made.counts, made.lines)
    assert Counter(fault.code for fault in again.faults) == Counter(fault.code for fault in made.faults)


@given(READINGS, STORED)
def test_an_address_has_one_owner_after_every_plan(read: Reading, stored: list[StoredUser]) -> None:
    addresses = Counter(user.address for user in applied(plan(read, stored), stored))
    assert set(addresses.values()) <= {1}


@given(READINGS, STORED)
def test_what_is_not_planned_is_as_it_was(read: Reading, stored: list[StoredUser]) -> None:
    made = plan(read, stored)
    planned = {item.before.key for item in made.users if item.before is not None}
    after = {user.key: user for user in applied(made, stored)}
    for user in stored:
        if user.key not in planned | {removed.key for removed in made.removed}:
            assert after[user.key] == user
        if user.customer_id != CUSTOMER or (user.directory_key not in (None, DIRECTORY) and not user.missing):
            assert after[user.key] == user
    assert all(item.is_new or item.before is None or item.after.pinned == item.before.pinned for item in made.users)


@given(READINGS, STORED)
def test_an_entry_with_a_fault_leaves_its_user_with_all_that_it_had(read: Reading, stored: list[StoredUser]) -> None:
    made = plan(read, stored)
    places = {fault.place for fault in made.faults}
    faulty = {change.anchor for change in read.changes if change.place in places} | read.faulty
    after = {user.key: user for user in applied(made, stored)}
    for user in stored:
        if user.directory_key == DIRECTORY and user.anchor in faulty:
            assert replace(after[user.key], unseen=False) == replace(user, unseen=False)


@given(READINGS, STORED)
def test_the_counts_are_those_of_the_lines(read: Reading, stored: list[StoredUser]) -> None:
    made = plan(read, stored)
    told = Counter(action.removeprefix("sync.") for action, _ in {(line.action, line.target) for line in made.lines})
    assert told == Counter({name: number for name, number in made.counts.items() if name in set(UserAction)})
    assert len(made.users) + made.counts.get("remove", 0) == sum(told.values())
