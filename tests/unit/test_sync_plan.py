"""addressbook.sync_plan: what one reading of a directory does to the stored users, and its difference as lines."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from addressbook.changes import ChangeFault, ChangeFaultCode, Reading, ReadList, UserChange
from addressbook.list_plan import StoredList
from addressbook.lists import ListMember
from addressbook.senders import DomainBar
from addressbook.sync_plan import SyncPlan, plan_sync
from addressbook.user_plan import Bar, PlanRules, StoredUser, UserAction
from gateway.admin.faults import FaultCode
from tests.kit.effort import spend_at_most
from tests.kit.readings import CUSTOMER, DIRECTORY, PROFILES, RULES, applied, entry, person, reading


def plan(read: Reading, *stored: StoredUser, rules: PlanRules = RULES, lists: tuple[StoredList, ...] = ()) -> SyncPlan:
    return plan_sync(read, stored, rules, lists)


def lines(made: SyncPlan) -> list[tuple[str, str, str, str, str]]:
    return [(line.action, line.target, line.field, line.before, line.after) for line in made.lines]


def deeds(made: SyncPlan) -> dict[str, UserAction]:
    return {planned.after.address: planned.action for planned in made.users}


def fault_codes(made: SyncPlan) -> list[tuple[int, ChangeFaultCode]]:
    return [(fault.place, ChangeFaultCode(fault.code)) for fault in made.faults]


ANNA = person(1, "anna@example.com", "a", name="Anna", profile_id=11, cells={"cost_centre": "4711"})
BERT = person(2, "bert@example.com", "b")


# One entry, one person


def test_a_rename_a_move_and_a_new_address_are_the_same_person() -> None:
    made = plan(reading(entry("a", "anna.k@example.com", name="Anna K.")), ANNA)
    (planned,) = made.users
    assert (planned.action, planned.after.key, planned.after.cells) == (UserAction.CHANGE, 1, {"cost_centre": "4711"})
    assert lines(made) == [
        ("sync.change", "anna.k@example.com", "address", "anna@example.com", "anna.k@example.com"),
        ("sync.change", "anna.k@example.com", "name", "Anna", "Anna K."),
    ]


def test_a_new_person_is_one_line_that_says_all_of_it() -> None:
    new = entry("n", "new@example.com", name="Nora", phone="447700900123", profile="Alarm", cost_centre="42")
    made = plan(reading(new))
    assert deeds(made) == {"new@example.com": UserAction.ADD}
    assert lines(made) == [
        ("sync.add", "new@example.com", "", "", "name Nora, phone +447700900123, profile Alarm, cost_centre 42")
    ]
    (planned,) = made.users
    assert (planned.after.source, planned.after.directory_key, planned.after.anchor) == ("directory", DIRECTORY, "n")


def test_an_entry_that_was_read_twice_is_one_person_as_it_was_read_last() -> None:
    made = plan(reading(entry("a", "anna@example.com", name="Old"), entry("a", "anna@example.com", name="New")), ANNA)
    assert lines(made) == [("sync.change", "anna@example.com", "name", "Anna", "New")]


def test_an_unchanged_entry_is_counted_and_nothing_else() -> None:
    made = plan(reading(entry("a", "anna@example.com", cost_centre="4711")), ANNA)
    assert (made.users, made.lines, made.unchanged, made.counts) == ((), (), 1, {"unchanged": 1})


def test_a_sender_id_a_profile_and_a_phone_are_shown_as_people_write_them() -> None:
    before = replace(ANNA, phone="447700900111", cells={"sender_id": "+447700900123"})
    change = entry("a", "anna@example.com", phone="447700900222", profile="alarm", sender_id="+447700900124")
    assert lines(plan(reading(change), before)) == [
        ("sync.change", "anna@example.com", "phone", "+447700900111", "+447700900222"),
        ("sync.change", "anna@example.com", "profile", "Standard", "Alarm"),
        ("sync.change", "anna@example.com", "sender_id", "+447700900123", "+447700900124"),
    ]


# Deleted and made again


def test_delete_and_recreate_with_the_same_address_ends_one_person_and_begins_another() -> None:
    made = plan(reading(entry("a2", "anna@example.com", name="Anna Two")), ANNA)
    (planned,) = made.users
    assert (planned.action, planned.is_new, planned.after.key) == (UserAction.REPLACE, True, 0)
    assert (planned.after.anchor, planned.after.cells, planned.after.pinned) == ("a2", {}, {})
    assert made.removed == (ANNA,)
    assert lines(made) == [
        ("sync.replace", "anna@example.com", "", "name Anna, profile Standard, cost_centre 4711", "name Anna Two")
    ]


@pytest.mark.parametrize(
    ("stored", "gone", "action"),
    [(ANNA, {"a"}, UserAction.REPLACE), (replace(ANNA, missing=True), set(), UserAction.REPLACE), (ANNA, set(), None)],
    ids=["told as gone", "missing for long", "perhaps still there"],
)
def test_a_delta_gives_an_address_to_another_entry_only_if_its_owner_is_gone(
    stored: StoredUser, gone: set[str], action: UserAction | None
) -> None:
    made = plan(reading(entry("a2", "anna@example.com"), complete=False, gone=gone), stored)
    assert deeds(made) == ({"anna@example.com": action} if action else {})
    assert fault_codes(made) == ([] if action else [(1, ChangeFaultCode.ADDRESS_TAKEN)])


def test_a_rename_onto_the_address_of_somebody_who_goes_away_in_the_same_run() -> None:
    made = plan(reading(entry("b", "anna@example.com")), ANNA, BERT)
    assert deeds(made) == {"anna@example.com": UserAction.CHANGE}
    assert made.removed == (ANNA,)
    assert lines(made) == [
        ("sync.change", "anna@example.com", "address", "bert@example.com", "anna@example.com"),
        ("sync.remove", "anna@example.com", "", "name Anna, profile Standard, cost_centre 4711", ""),
    ]
    assert made.counts == {"change": 1, "remove": 1}


# Two who want one address


def test_two_people_who_swap_their_addresses_keep_everything_else() -> None:
    made = plan(reading(entry("a", "bert@example.com"), entry("b", "anna@example.com")), ANNA, BERT)
    assert {planned.after.key: planned.after.address for planned in made.users} == {
        1: "bert@example.com",
        2: "anna@example.com",
    }
    assert (made.removed, made.faults) == ((), ())


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_swap_with_a_fault_nothing_happens(order: int) -> None:
    swap = [entry("a", "bert@example.com", profile="Nope"), entry("b", "anna@example.com")][::order]
    made = plan(reading(*swap), ANNA, BERT)
    assert (made.users, made.removed) == ((), ())
    assert {code for _, code in fault_codes(made)} == {ChangeFaultCode.NO_PROFILE, ChangeFaultCode.ADDRESS_TAKEN}


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_of_addresses_breaks_where_the_last_one_does_not_move(order: int) -> None:
    carl = person(3, "carl@example.com", "c")
    chain = [
        entry("a", "bert@example.com"),
        entry("b", "carl@example.com"),
        entry("c", "dora@example.org"),
    ][::order]
    rules = replace(RULES, barred_domains={"example.org": DomainBar.NOT_OWN})
    made = plan(reading(*chain), ANNA, BERT, carl, rules=rules)
    assert made.users == ()
    assert sorted(code for _, code in fault_codes(made)) == ["address-taken", "address-taken", "outside-domains"]
    assert len(plan(reading(*chain), ANNA, BERT, carl).users) == 3


def test_of_two_entries_with_one_address_the_owner_keeps_it_and_the_other_is_at_fault() -> None:
    made = plan(reading(entry("x", "anna@example.com"), entry("a", "anna@example.com", name="Anna K.")), ANNA)
    assert lines(made) == [("sync.change", "anna@example.com", "name", "Anna", "Anna K.")]
    assert fault_codes(made) == [(1, ChangeFaultCode.ADDRESS_TAKEN)]


@pytest.mark.parametrize("stored", [(), (person(9, "new@example.com", directory_key=None, source="manual"),)])
def test_of_two_new_entries_with_one_address_neither_gets_it(stored: tuple[StoredUser, ...]) -> None:
    made = plan(reading(entry("x", "new@example.com"), entry("y", "new@example.com")), *stored)
    assert made.users == ()
    assert fault_codes(made) == [(1, ChangeFaultCode.ADDRESS_TWICE), (2, ChangeFaultCode.ADDRESS_TWICE)]


@pytest.mark.parametrize("order", [1, -1])
def test_two_entries_do_not_take_over_one_user_of_another_directory(order: int) -> None:
    other = replace(ANNA, directory_key=DIRECTORY + 1, missing=True)
    made = plan(reading(*[entry("a", "anna@example.com"), entry("y", "anna@example.com")][::order]), other)
    assert (made.users, [code for _, code in fault_codes(made)]) == ((), [ChangeFaultCode.ADDRESS_TWICE] * 2)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_new_anchors_for_a_user_without_one_neither_is_believed(order: int) -> None:
    by_address = replace(ANNA, anchor="anna@example.com")
    made = plan(reading(*[entry("x", "anna@example.com"), entry("y", "anna@example.com")][::order]), by_address)
    assert (made.users, [code for _, code in fault_codes(made)]) == ((), [ChangeFaultCode.ADDRESS_TWICE] * 2)


@pytest.mark.parametrize("stored", [ANNA, person(9, "anna@example.com", directory_key=None, source="manual")])
def test_a_mapping_that_gives_everybody_one_address_is_refused_without_much_work(stored: StoredUser) -> None:
    read = reading(*(entry(f"n{number}", "anna@example.com") for number in range(8_000)))
    assert len(spend_at_most(150, lambda: plan(read, stored)).faults) == 8_000


def test_a_second_claim_counts_although_its_entry_has_a_fault_of_its_own() -> None:
    made = plan(reading(entry("x", "new@example.com", profile="Nope"), entry("y", "new@example.com")))
    assert made.users == ()
    assert fault_codes(made) == [(1, ChangeFaultCode.NO_PROFILE), (2, ChangeFaultCode.ADDRESS_TWICE)]


def test_an_address_or_a_domain_of_another_customer_stays_there() -> None:
    stranger = person(8, "eve@example.org", "e", customer_id=2, directory_key=70)
    rules = replace(RULES, barred_domains={"example.net": DomainBar.OF_ANOTHER, "example.edu": DomainBar.NOT_OWN})
    made = plan(
        reading(
            entry("e", "eve@example.org"),
            entry("n", "new@example.net"),
            entry("o", "out@example.edu"),
            entry("b", "bert@example.com", name="Bert"),
        ),
        stranger,
        BERT,
        rules=rules,
    )
    assert deeds(made) == {"bert@example.com": UserAction.CHANGE}
    assert fault_codes(made) == [
        (1, ChangeFaultCode.FOREIGN_ADDRESS),
        (2, ChangeFaultCode.FOREIGN_ADDRESS),
        (3, ChangeFaultCode.OUTSIDE_DOMAINS),
    ]


def test_the_person_of_another_directory_of_the_same_customer_stays_there_until_it_is_missing() -> None:
    other = replace(ANNA, directory_key=DIRECTORY + 1)
    made = plan(reading(entry("z", "anna@example.com")), other)
    assert (made.users, fault_codes(made)) == ((), [(1, ChangeFaultCode.OF_DIRECTORY)])
    gone = replace(other, missing=True, disabled=True, pinned={"language": "de"})
    moved = plan(reading(entry("z", "anna@example.com")), gone)
    (planned,) = moved.users
    assert (planned.action, planned.after.key, planned.after.anchor) == (UserAction.ADOPT, 1, "z")
    assert (planned.after.missing, planned.after.disabled) == (False, False)
    assert planned.after.pinned == {"language": "de"}


def test_a_person_does_not_move_onto_the_address_of_a_user_of_no_directory() -> None:
    manual = person(9, "desk@example.com", directory_key=None, source="manual")
    made = plan(reading(entry("a", "desk@example.com")), ANNA, manual)
    assert (made.users, fault_codes(made)) == ((), [(1, ChangeFaultCode.ADDRESS_TAKEN)])


def test_a_file_without_anchors_and_one_with_them_speak_of_the_same_person() -> None:
    by_address = replace(ANNA, anchor="anna@example.com", pinned={"language": "de"})
    made = plan(reading(entry("uid-1", "anna@example.com")), by_address)
    (planned,) = made.users
    assert (planned.action, planned.after.key, planned.after.anchor) == (UserAction.CHANGE, 1, "uid-1")
    back = plan(reading(entry("anna@example.com", "anna@example.com")), planned.after)
    assert (back.users, back.unchanged) == ((), 1)


# Users whom an administrator or a file made


def test_a_user_of_a_file_is_adopted_with_key_and_pins_and_its_values_get_the_directory_as_origin() -> None:
    of_file = person(
        5,
        "fay@example.com",
        directory_key=None,
        source="file",
        cells={"cost_centre": "1", "language": "de", "max_parts": "3", "flash": "on"},
        pinned={"coding": "ucs2"},
    )
    made = plan(reading(entry("f", "fay@example.com", cost_centre="1", language="es", max_parts="")), of_file)
    (planned,) = made.users
    assert (planned.action, planned.after.key, planned.after.anchor) == (UserAction.ADOPT, 5, "f")
    assert planned.cells == {"cost_centre": "1", "language": "es", "max_parts": None}
    assert planned.after.cells == {"cost_centre": "1", "language": "es", "flash": "on"}
    assert planned.after.pinned == {"coding": "ucs2"}
    assert lines(made) == [
        ("sync.adopt", "fay@example.com", "language", "de", "es"),
        ("sync.adopt", "fay@example.com", "max_parts", "3", ""),
        ("sync.adopt", "fay@example.com", "source", "file", "directory"),
    ]


def test_who_an_administrator_stopped_stays_stopped_whatever_the_directory_says() -> None:
    stopped = person(5, "fay@example.com", directory_key=None, source="manual", active=False)
    made = plan(reading(entry("f", "fay@example.com", active=True)), stopped)
    (planned,) = made.users
    assert (planned.after.active, planned.after.disabled) == (False, False)


def test_an_administrators_file_does_not_change_what_a_directory_says_but_may_pin() -> None:
    of_file = PlanRules(customer_id=CUSTOMER, profiles=PROFILES)
    change = entry("", "anna@example.com", cost_centre="1")
    made = plan(reading(change, complete=False), ANNA, rules=of_file)
    assert (made.users, fault_codes(made)) == ((), [(1, ChangeFaultCode.OF_DIRECTORY)])
    pinned = plan(reading(replace(change, pinned=frozenset({"cost_centre"})), complete=False), ANNA, rules=of_file)
    assert [(user.cells, user.pinned) for user in pinned.users] == [({}, {"cost_centre": "1"})]
    same = plan(reading(entry("", "anna@example.com", cost_centre="4711"), complete=False), ANNA, rules=of_file)
    assert (same.unchanged, same.faults) == (1, ())


# Disabled, unseen, missing, back


def test_disabled_in_the_directory_is_a_stop_and_no_removal() -> None:
    made = plan(reading(entry("a", "anna@example.com", active=False)), ANNA)
    (planned,) = made.users
    assert (planned.action, planned.after.disabled, planned.after.missing) == (UserAction.STOP, True, False)
    assert lines(made) == [("sync.stop", "anna@example.com", "disabled", "off", "on")]
    assert made.counts == {"stop": 1, "disabled": 1}
    again = plan(reading(entry("a", "anna@example.com", active=True)), *applied(made, [ANNA]))
    assert lines(again) == [("sync.revive", "anna@example.com", "disabled", "on", "off")]


def test_who_is_in_no_two_complete_readings_in_a_row_is_missing() -> None:
    empty = reading(entry("b", "bert@example.com"))
    first = plan(empty, ANNA, BERT)
    assert (deeds(first), first.counts) == ({"anna@example.com": UserAction.UNSEEN}, {"unseen": 1, "unchanged": 1})
    second = plan(empty, *applied(first, [ANNA, BERT]))
    assert deeds(second) == {"anna@example.com": UserAction.MISSING}
    assert plan(empty, *applied(second, applied(first, [ANNA, BERT]))).users == ()


def test_who_is_seen_between_two_readings_without_it_is_not_missing() -> None:
    unseen = replace(ANNA, unseen=True)
    made = plan(reading(entry("a", "anna@example.com")), unseen)
    assert lines(made) == [("sync.seen", "anna@example.com", "unseen", "on", "off")]


def test_an_entry_with_a_fault_is_there_all_the_same() -> None:
    unseen = [replace(user, unseen=True) for user in (ANNA, BERT)]
    fault = ChangeFault(place=7, code=ChangeFaultCode.BAD_ADDRESS, facts={"given": "x"})
    made = plan(reading(entry("a", "anna@example.com", profile="Nope"), faults=[fault], faulty=["b"]), *unseen)
    assert deeds(made) == {"anna@example.com": UserAction.SEEN, "bert@example.com": UserAction.SEEN}


def test_a_deletion_that_the_directory_tells_makes_missing_at_once() -> None:
    made = plan(reading(complete=False, gone=["a", "nobody"]), ANNA, BERT)
    assert lines(made) == [("sync.missing", "anna@example.com", "missing", "off", "on")]


def test_a_delta_says_nothing_of_those_whom_it_does_not_name() -> None:
    made = plan(reading(complete=False), ANNA, replace(BERT, unseen=True))
    assert (made.users, made.lines, made.source_is_empty) == ((), (), False)


def test_an_anchor_that_is_back_revives_the_same_person_with_its_pins() -> None:
    missing = replace(ANNA, missing=True, pinned={"language": "de"})
    made = plan(reading(entry("a", "anna@example.com", name="Anna K."), complete=False), missing)
    (planned,) = made.users
    assert (planned.action, planned.after.key, planned.after.pinned) == (UserAction.REVIVE, 1, {"language": "de"})
    assert lines(made) == [
        ("sync.revive", "anna@example.com", "missing", "on", "off"),
        ("sync.revive", "anna@example.com", "name", "Anna", "Anna K."),
    ]


def test_users_of_other_sources_and_directories_are_left_alone_and_counted() -> None:
    manual = person(8, "desk@example.com", directory_key=None, source="manual")
    other = person(9, "odd@example.com", "o", directory_key=DIRECTORY + 1)
    made = plan(reading(entry("a", "anna@example.com")), ANNA, manual, other)
    assert (made.users, made.left_alone) == ((), 2)


# What a row may not say


@pytest.mark.parametrize("change", [entry("a", "anna@example.com", profile="Nope", language="es"), entry("a", "")])
def test_a_row_with_a_fault_changes_nobody_by_half(change: UserChange) -> None:
    made = plan(reading(change), ANNA)
    assert made.users == ()
    assert len(made.faults) == 1


def test_a_profile_that_does_not_exist_never_becomes_the_default() -> None:
    made = plan(
        reading(entry("a", "anna@example.com", profile="Nope"), entry("n", "n@example.com", profile="No")), ANNA
    )
    assert (made.users, fault_codes(made)) == (
        (),
        [(1, ChangeFaultCode.NO_PROFILE), (2, ChangeFaultCode.NO_PROFILE)],
    )


def test_a_locked_field_is_a_fault_of_the_row_only_where_it_would_change() -> None:
    def find_bar(name: str, _value: object) -> Bar | None:
        return (FaultCode.LOCKED, {"field": name, "by": "the system"}) if name == "cost_centre" else None

    rules = replace(RULES, find_bar=find_bar)
    made = plan(
        reading(
            entry("a", "anna@example.com", cost_centre="4711", language="de"),
            entry("b", "bert@example.com", cost_centre="1", language="de"),
        ),
        ANNA,
        BERT,
        rules=rules,
    )
    assert lines(made) == [("sync.change", "anna@example.com", "language", "", "de")]
    assert [(fault.place, fault.column, fault.code) for fault in made.faults] == [
        (2, "x-cost_centre", FaultCode.LOCKED)
    ]


@pytest.mark.parametrize(
    ("change", "stored", "lost"),
    [
        (entry("a", "anna@example.com", name="Other"), {"cost_centre": "4711"}, False),
        (entry("a", "anna@example.com", cost_centre=""), {}, True),
        (entry("a", "anna@example.com", cost_centre="<none>"), {"cost_centre": "<none>"}, False),
    ],
    ids=["unmanaged", "unset", "none"],
)
def test_a_value_stays_is_taken_back_or_ends_the_inheritance(
    change: UserChange, stored: Mapping[str, str], lost: bool
) -> None:
    made = plan(reading(change), ANNA)
    (planned,) = made.users
    assert planned.after.cells == stored
    assert made.counts.get("blanked.cost_centre", 0) == lost


def test_pins_stay_whatever_the_directory_says() -> None:
    pinned = replace(ANNA, pinned={"cost_centre": "9"})
    made = plan(reading(entry("a", "anna@example.com", cost_centre="4712")), pinned)
    (planned,) = made.users
    assert (planned.after.cells, planned.after.pinned) == ({"cost_centre": "4712"}, {"cost_centre": "9"})


# Lists


def member(number: str, name: str) -> ListMember:
    return ListMember(number=number, values={"name": name})


ANNAS, BERTS = member("447700900111", "Anna"), member("447700900222", "Bert")


def test_a_group_as_a_list_says_who_comes_and_who_goes() -> None:
    stored = StoredList(name="Crew", directory_key=DIRECTORY, members={ANNAS.number: ANNAS, BERTS.number: BERTS})
    read = ReadList(name="crew", members=(replace(ANNAS, values={"name": "Anna K."}), member("447700900333", "Carl")))
    made = plan(reading(lists=[read]), lists=(stored,))
    assert lines(made) == [
        ("sync.list", "crew", "member", "", "+447700900333 Carl"),
        ("sync.list", "crew", "member", "+447700900111 Anna", "+447700900111 Anna K."),
        ("sync.list", "crew", "member", "+447700900222 Bert", ""),
    ]
    assert made.counts == {"list": 1, "left.crew": 1}


def test_a_new_list_has_a_line_for_itself_its_members_and_authors() -> None:
    read = ReadList(name="crew", members=(ANNAS,), authors=("anna@example.com",))
    made = plan(reading(lists=[read]))
    assert lines(made) == [
        ("sync.list", "crew", "", "", ""),
        ("sync.list", "crew", "author", "", "anna@example.com"),
        ("sync.list", "crew", "member", "", "+447700900111 Anna"),
    ]
    stored = StoredList(
        name="crew",
        directory_key=DIRECTORY,
        authors=frozenset({"anna@example.com"}),
        members={ANNAS.number: ANNAS},
    )
    assert plan(reading(lists=[read]), lists=(stored,)).lists == ()


def test_a_list_that_is_not_of_the_directory_stays_as_it_is() -> None:
    made = plan(reading(lists=[ReadList(name="crew", members=(ANNAS,))]), lists=(StoredList(name="Crew"),))
    assert (made.lists, fault_codes(made)) == ((), [(0, ChangeFaultCode.LIST_TAKEN)])


def test_a_member_whose_number_could_not_be_read_stays_on_the_list() -> None:
    stored = StoredList(name="crew", directory_key=DIRECTORY, members={ANNAS.number: ANNAS, BERTS.number: BERTS})
    people = [replace(ANNA, phone=ANNAS.number), replace(BERT, phone=BERTS.number)]
    fault = ChangeFault(place=1, code=ChangeFaultCode.BAD_ADDRESS, facts={"given": "x"})
    read = reading(
        entry("a", "anna@example.com", phone=""),
        entry("b", "bert@example.com", phone=""),
        faults=[fault],
        lists=[ReadList(name="crew", members=())],
    )
    (planned,) = plan(read, *people, lists=(stored,)).lists
    assert (planned.read.members, planned.removed) == ((ANNAS,), (BERTS,))
